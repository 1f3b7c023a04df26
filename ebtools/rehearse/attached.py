"""Somebody who attaches files while the storage is broken; the load itself has none."""

import time
import urllib.error
import urllib.request
from typing import Any

import orjson

from ebtools.rehearse.stage import Stage

CONTENT = b"hello"
SECONDS = 30.0


class Attached:
    """Files that are uploaded while all is well, and completed, which asks the storage for them, when it is not."""

    def __init__(self, stage: Stage) -> None:
        assert stage.people is not None, "only Fastier has attachments"
        self.stage = stage
        self.origin = f"http://{stage.balancer.address}/api/v1"
        self.headers = {"Authorization": f"Bearer {stage.people.token}", "Content-Type": "application/json"}
        self.item = next(iter(stage.people.items))
        self.waiting: list[str] = []

    def upload(self, count: int) -> None:
        """Send so many files to the storage; none of them is completed yet."""
        new = {"file_name": "a.txt", "content_type": "text/plain", "size": len(CONTENT)}
        for _ in range(count):
            status, made = self._ask(
                "POST", f"{self.origin}/items/{self.item}/attachments", orjson.dumps(new), self.headers
            )
            assert status == 201, f"an attachment was answered {status}"
            upload = made["upload"]
            status, _ = self._ask(upload["method"], upload["url"], CONTENT, upload["headers"])
            assert status == 200, f"the storage answered {status}"
            self.waiting.append(made["attachment"]["id"])

    def complete_for(self, seconds: float) -> None:
        """Complete one after another, and count the answers and the longest wait among the facts of the act."""
        facts, deadline = self.stage.facts, time.monotonic() + seconds
        facts["worst"] = 0.0
        while time.monotonic() < deadline and self.waiting:
            began = time.monotonic()
            status = self._complete()
            facts["worst"] = max(facts["worst"], time.monotonic() - began)
            facts[f"status {status}"] = facts.get(f"status {status}", 0) + 1
            time.sleep(0.2)

    def can_be_completed(self, seconds: float) -> bool:
        """Whether what was not completed can be within so many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.waiting:
            if self._complete() == 200:
                return True
            time.sleep(0.2)
        return False

    def _complete(self) -> int:
        status, _ = self._ask("POST", f"{self.origin}/attachments/{self.waiting[0]}/complete", b"", self.headers)
        if status == 200:
            self.waiting.pop(0)
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
