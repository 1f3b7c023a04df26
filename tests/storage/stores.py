"""A storage as its users meet it: the object in this process, and plain HTTP to its signed addresses."""

import http.client
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from ebtools.s3_endpoint.serving import serving
from fastier.storage import LocalStorage, SignedRequest, Storage


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The code of S3's error document."""
        return self.body.decode().partition("<Code>")[2].partition("</Code>")[0]


@dataclass(frozen=True)
class Store:
    """A storage under test; in `later(…)` its server believes that so much time has passed."""

    storage: Storage
    later: Callable[[timedelta], AbstractContextManager[None]]

    def put(self, key: str, body: bytes, content_type: str = "text/plain", checksum: str | None = None) -> Answer:
        signed = self.storage.presign_put(key, content_type=content_type, size=len(body), checksum=checksum)
        return upload(signed, body)

    def get(self, key: str, **headers: str) -> Answer:
        url = self.storage.presign_get(key, file_name="a.txt", content_type="text/plain", inline=False)
        return send("GET", url, headers={name.replace("_", "-"): value for name, value in headers.items()})


def upload(signed: SignedRequest, body: bytes, **changed: str) -> Answer:
    """Send a signed upload as its client would; `changed` headers differ from the signed ones."""
    headers = {name: value for name, value in signed.headers.items() if name != "Content-Length"}
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    return send(signed.method, signed.url, body, headers)


def send(
    method: str, url: str, body: bytes | BinaryIO | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30, blocksize=65536)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


class Clock:
    """A clock that tests set; seconds."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@contextmanager
def local_storage(path: Path, clock: Callable[[], float]) -> Iterator[LocalStorage]:
    """A LocalStorage behind a real server on the loopback interface."""
    made: list[LocalStorage] = []
    with serving(lambda environ, start_response: made[0].wsgi_app(environ, start_response)) as url:
        made.append(LocalStorage(path, "k" * 32, url, clock=clock))
        yield made[0]
