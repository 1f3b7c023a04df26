"""What local files must do and S3 does elsewhere: stay in the folder, survive, and bear broken clients."""

import errno
import io
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from werkzeug.test import create_environ, run_wsgi_app

from fastier.storage import LocalStorage, ObjectMissing, Part, SignedRequest, StorageUnavailable
from tests.storage.stores import Clock, local_storage, send, upload

KEY = "attachments/a/b"
BODY = b"some bytes"


def put_of(storage: LocalStorage, size: int = len(BODY)) -> SignedRequest:
    return storage.presign_put(KEY, content_type="text/plain", size=size, checksum=None)


def files_in(path: Path) -> list[Path]:
    return [each for each in path.rglob("*") if each.is_file()]


def call(storage: LocalStorage, signed: SignedRequest, stream: Any) -> tuple[int, str]:
    """The status and the body of an upload from a stream, without a server between."""
    address = urlsplit(signed.url)
    environ = create_environ(address.path, query_string=address.query, method="PUT", headers=signed.headers)
    environ |= {"wsgi.input": stream, "CONTENT_LENGTH": signed.headers["Content-Length"]}
    chunks, status, _ = run_wsgi_app(storage.wsgi_app, environ)
    return int(status.split()[0]), b"".join(chunks).decode()


def test_everything_survives_a_restart(local: LocalStorage, clock: Clock) -> None:
    upload(put_of(local), BODY)
    upload_id = local.start_multipart("attachments/c", content_type="video/mp4")
    send("PUT", local.presign_part("attachments/c", upload_id, 1, len(BODY)).url, BODY)
    with local_storage(local.path, clock) as again:
        assert again.head(KEY) == local.head(KEY)
        parts = again.list_parts("attachments/c", upload_id)
        again.complete_multipart("attachments/c", upload_id, parts)
        url = again.presign_get("attachments/c", file_name="c", content_type="video/mp4", inline=False)
        assert send("GET", url).body == BODY


def test_an_unfinished_upload_tells_when_it_began(local: LocalStorage) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    local.start_multipart(KEY, content_type="text/plain")
    (found,) = local.list_multiparts(10)
    assert before <= found.started_at <= datetime.now(UTC) + timedelta(seconds=2)


def test_no_browser_runs_what_is_sent(local: LocalStorage) -> None:
    upload(put_of(local), BODY)
    url = local.presign_get(KEY, file_name="a.html", content_type="text/html", inline=True)
    answer = send("GET", url)
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_head_tells_the_size_without_the_body(local: LocalStorage) -> None:
    upload(put_of(local), BODY)
    answer = send("HEAD", local.presign_get(KEY, file_name="a", content_type="text/plain", inline=False))
    assert (answer.status, answer.headers["content-length"], answer.body) == (200, str(len(BODY)), b"")


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/etc/passwd", "a//b", "", ".", "a\0b", "a/.hidden", "ä", "a\n"])
def test_no_key_leaves_the_folder(local: LocalStorage, tmp_path: Path, key: str) -> None:
    signed = local.presign_put(key, content_type="text/plain", size=len(BODY), checksum=None)
    assert upload(signed, BODY).status in (403, 404)
    with pytest.raises(ValueError, match="key"):
        local.head(key)
    assert files_in(tmp_path) == []


def test_no_upload_id_leaves_the_folder(local: LocalStorage) -> None:
    local.start_multipart(KEY, content_type="text/plain")
    assert send("PUT", local.presign_part(KEY, "../objects", 1, len(BODY)).url, BODY).status == 404
    assert len(files_in(local.path)) == 1


def test_an_upload_belongs_to_its_key(local: LocalStorage) -> None:
    upload_id = local.start_multipart(KEY, content_type="text/plain")
    assert send("PUT", local.presign_part("attachments/other", upload_id, 1, len(BODY)).url, BODY).status == 404


def test_an_upload_that_another_storage_began_is_over(local: LocalStorage) -> None:
    local.abort_multipart(KEY, "2~an.id.as.S3.makes.it")
    with pytest.raises(ObjectMissing):
        local.list_parts(KEY, "2~an.id.as.S3.makes.it")


def test_nobody_sees_half_of_an_upload_that_ends(local: LocalStorage) -> None:
    numbers = range(1, 11)
    seen: list[list[Part] | str] = []

    def look(upload_id: str, over: threading.Event) -> None:
        while not over.is_set():
            try:
                seen.append(local.list_parts(KEY, upload_id))
            except ObjectMissing:
                return
            except Exception as error:
                seen.append(repr(error))
                return

    def complete(upload_id: str, parts: list[Part]) -> None:
        try:
            local.complete_multipart(KEY, upload_id, parts)
        except Exception as error:
            seen.append(repr(error))

    for _ in range(5):
        upload_id = local.start_multipart(KEY, content_type="video/mp4")
        for number in numbers:
            call(local, local.presign_part(KEY, upload_id, number, len(BODY)), io.BytesIO(BODY))
        parts, over = local.list_parts(KEY, upload_id), threading.Event()
        lookers = [threading.Thread(target=look, args=(upload_id, over)) for _ in range(2)]
        completers = [threading.Thread(target=complete, args=(upload_id, parts)) for _ in range(2)]
        for thread in lookers + completers:
            thread.start()
        for thread in completers:
            thread.join(30)
        over.set()
        for thread in lookers:
            thread.join(30)
        assert [each for each in seen if each != parts] == []
        found = local.head(KEY)
        assert found is not None
        assert found.size == len(numbers) * len(BODY)
        seen.clear()
    assert files_in(local.path / "uploads") == []


class _Broken(io.RawIOBase):
    """Gives a few bytes, and then breaks as a connection does."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.left = 4

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self.left:
            raise self.error
        self.left -= 1
        return b"x"


@pytest.mark.parametrize("error", [TimeoutError("silent"), ConnectionResetError(), OSError(errno.EIO, "read")])
def test_a_connection_that_breaks_leaves_nothing_behind(local: LocalStorage, error: Exception) -> None:
    status, body = call(local, put_of(local), _Broken(error))
    assert (status, "RequestTimeout" in body) == (408, True)
    assert files_in(local.path) == []


def test_a_client_that_vanishes_leaves_nothing_behind(local: LocalStorage) -> None:
    address = urlsplit(put_of(local, 1_000_000).url)
    host, port = address.netloc.split(":")
    head = f"PUT {address.path}?{address.query} HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/plain\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"{head}Content-Length: 1000000\r\n\r\n".encode() + b"x" * 1000)
        wait_for(lambda: len(files_in(local.path)) == 1)
    wait_for(lambda: files_in(local.path) == [])
    assert local.head(KEY) is None


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_full_disk_is_said_and_leaves_nothing_behind(local: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    answer = upload(put_of(local), BODY)
    assert (answer.status, answer.code) == (507, "InsufficientStorage")
    assert files_in(local.path) == []
    with pytest.raises(StorageUnavailable, match="No space"):
        local.start_multipart(KEY, content_type="text/plain")


def test_a_folder_that_cannot_be_made_is_not_well(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnavailable):
        LocalStorage(tmp_path / "file" / "storage", "k" * 32, "http://localhost").check()


def test_another_key_signs_other_addresses(local: LocalStorage, tmp_path: Path) -> None:
    upload(put_of(local), BODY)
    other = LocalStorage(tmp_path, "o" * 32, "http://localhost")
    signed = urlsplit(other.presign_get(KEY, file_name="a", content_type="text/plain", inline=False))
    own = urlsplit(put_of(local).url)
    assert send("GET", own._replace(path=signed.path, query=signed.query).geturl()).status == 403


@contextmanager
def traced() -> Iterator[list[int]]:
    """The peak of the memory that Python took within the block, in bytes, once it is over."""
    peak: list[int] = []
    tracemalloc.start()
    try:
        yield peak
        peak.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_a_large_upload_takes_no_memory(local: LocalStorage, tmp_path: Path) -> None:
    size = 256 * 1024 * 1024
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(size)
    signed = put_of(local, size)
    headers = {"Content-Type": "text/plain", "Content-Length": str(size)}
    with traced() as peak, sparse.open("rb") as body:
        assert send("PUT", signed.url, body, headers).status == 200
    # The server of the tests itself takes 10 MB at the end of a request.
    assert peak[0] < 32 * 1024 * 1024
    found = local.head(KEY)
    assert found is not None
    assert found.size == size
