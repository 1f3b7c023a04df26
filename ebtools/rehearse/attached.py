"""People who attach files while the storage is broken; the load itself has none."""

import threading
import time
import urllib.error
import urllib.request
from typing import Any

import orjson

from ebtools.rehearse.fleet import together
from ebtools.rehearse.stage import Stage

CONTENT = b"hello"
SECONDS = 30.0
# More than the workers of three instances have permits for, so that files could take them all.
PEOPLE = 36
# Sooner than the answer asks of them; twice a second they would be half as many requests again as the load sends.
PAUSE_SECONDS = 2.0


class Attached:
    """Files that are uploaded while all is well, and completed, which asks the storage for them, when it is not."""

    def __init__(self, stage: Stage) -> None:
        assert stage.people is not None, "only Fastier has attachments"
        self.facts = stage.facts
        self.origin = f"http://{stage.balancer.address}/api/v1"
        self.headers = {"Authorization": f"Bearer {stage.people.token}", "Content-Type": "application/json"}
        self.item = next(iter(stage.people.items))
        self.waiting: list[str] = []
        self._lock = threading.Lock()

    def upload(self) -> None:
        """Everybody sends a file to the storage; none of them is completed yet."""
        for _ in range(PEOPLE):
            self._upload()

    def _upload(self) -> None:
        new = {"file_name": "a.txt", "content_type": "text/plain", "size": len(CONTENT)}
        status, made = self._ask(
            "POST", f"{self.origin}/items/{self.item}/attachments", orjson.dumps(new), self.headers
        )
        assert status == 201, f"an attachment was answered {status}"
        upload = made["upload"]
        status, _ = self._ask(upload["method"], upload["url"], CONTENT, upload["headers"])
        assert status == 200, f"the storage answered {status}"
        self.waiting.append(made["attachment"]["id"])

    def complete_for(self, seconds: float) -> None:
        """Everybody tries again and again; the answers and the longest wait are counted among the facts of the act."""
        self.facts["worst"] = 0.0
        deadline = time.monotonic() + seconds
        together(list(self.waiting), lambda id: self._complete_until(id, deadline))

    def _complete_until(self, id: str, deadline: float) -> None:
        while time.monotonic() < deadline:
            began = time.monotonic()
            status = self._complete(id)
            with self._lock:
                self.facts["worst"] = max(self.facts["worst"], time.monotonic() - began)
                self.facts[f"status {status}"] = self.facts.get(f"status {status}", 0) + 1
            if status == 200:
                return
            time.sleep(PAUSE_SECONDS)

    def can_be_completed(self, seconds: float) -> bool:
        """Whether everything that was not completed can be within so many seconds."""
        deadline = time.monotonic() + seconds
        while self.waiting and time.monotonic() < deadline:
            if self._complete(self.waiting[0]) != 200:
                time.sleep(PAUSE_SECONDS)
        return not self.waiting

    def _complete(self, id: str) -> int:
        status, _ = self._ask("POST", f"{self.origin}/attachments/{id}/complete", b"", self.headers)
        if status == 200:
            with self._lock:
                self.waiting.remove(id)
        return status

    @staticmethod
    def _ask(method: str, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        asked = urllib.request.Request(url, data=body, headers=headers, method=method)  # noqa: S310 - one of our own.
        try:
            with urllib.request.urlopen(asked, timeout=SECONDS) as answer:  # noqa: S310
                text = answer.read()
                return int(answer.status), orjson.loads(text) if text.startswith(b"{") else {}
        except urllib.error.HTTPError as error:
            error.close()
            return int(error.code), {}
        except OSError:
            return 0, {}
