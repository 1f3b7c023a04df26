"""Attachments: announce, send, complete, download, delete; quotas, and safe types."""

import base64
import hashlib
import time
from typing import Any

import pytest
from sqlalchemy import text

from fastier.attachments import service
from fastier.database import Database
from fastier.services import Services
from tests.api import Person, pointers, problem

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452") + b"\0" * 64
HTML = b"<!doctype html><script>alert(1)</script>"
MIB = 1024 * 1024


def _sha256(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _download(person: Person, attachment: str, **headers: str) -> Any:
    found = person.get(f"/attachments/{attachment}/content")
    assert found.status_code == 302, found.text
    path = found.headers["Location"].removeprefix("http://localhost")
    return person.client.get(path, headers=headers, buffered=True)


def test_a_file_goes_up_and_comes_down(alice: Person) -> None:
    item = alice.item()["id"]
    content = b"two bags, whole beans\n"
    announced = alice.announce(item, content, checksum=_sha256(content))
    assert (announced["attachment"]["status"], announced["upload"]["method"]) == ("uploading", "PUT")
    assert alice.get(f"/items/{item}").json["attachment_count"] == 0
    assert alice.send(announced["upload"], content).status_code == 200
    done = alice.post(f"/attachments/{announced['attachment']['id']}/complete").json
    assert (done["status"], done["size"], done["checksum"]) == ("ready", len(content), _sha256(content))
    assert alice.get(f"/items/{item}").json["attachment_count"] == 1
    assert alice.get(f"/items/{item}/attachments").json["data"] == [done]
    down = _download(alice, done["id"])
    assert (down.status_code, down.data, down.mimetype) == (200, content, "text/plain")
    assert down.headers["Content-Disposition"].startswith('attachment; filename="notes.txt"')


def test_a_part_of_a_file_can_be_asked_for(alice: Person) -> None:
    made = alice.upload(alice.item()["id"], b"0123456789")
    down = _download(alice, made["id"], Range="bytes=2-4")
    assert (down.status_code, down.data) == (206, b"234")


def test_completing_twice_counts_once(alice: Person) -> None:
    item = alice.item()["id"]
    made = alice.upload(item, b"x")
    assert alice.post(f"/attachments/{made['id']}/complete").json == made
    assert alice.get(f"/items/{item}").json["attachment_count"] == 1


def test_a_file_that_was_not_sent_is_not_completed(alice: Person) -> None:
    announced = alice.announce(alice.item()["id"], b"x")
    id = announced["attachment"]["id"]
    problem(alice.post(f"/attachments/{id}/complete"), 409, "not_uploaded")
    problem(alice.get(f"/attachments/{id}/content"), 409, "not_uploaded")


def test_other_bytes_than_announced_are_refused(alice: Person) -> None:
    item = alice.item()["id"]
    longer = alice.announce(item, b"four")
    assert alice.send(longer["upload"], b"five!").status_code == 403
    other = alice.announce(item, b"four", checksum=_sha256(b"four"))
    assert alice.send(other["upload"], b"FOUR").status_code == 400
    for announced in (longer, other):
        problem(alice.post(f"/attachments/{announced['attachment']['id']}/complete"), 409, "not_uploaded")


def _wait_for_the_next_second() -> None:
    """An address expires on a whole second, so one that is signed later in the same second is the same."""
    began = int(time.time())
    while int(time.time()) == began:
        time.sleep(0.01)


def test_a_replayed_announcement_is_signed_anew_and_announces_once(alice: Person) -> None:
    item = alice.item()["id"]
    new = {"file_name": "a.txt", "content_type": "text/plain", "size": 3}
    first = alice.post(f"/items/{item}/attachments", new, headers={"Idempotency-Key": "up"}).json
    _wait_for_the_next_second()
    again = alice.post(f"/items/{item}/attachments", new, headers={"Idempotency-Key": "up"}).json
    assert again["attachment"] == first["attachment"]
    assert again["upload"]["url"] != first["upload"]["url"]
    assert alice.send(again["upload"], b"abc").status_code == 200


def test_no_signed_address_is_kept(alice: Person, database: Database) -> None:
    item = alice.item()["id"]
    new = {"file_name": "a.txt", "content_type": "text/plain", "size": 3}
    alice.post(f"/items/{item}/attachments", new, headers={"Idempotency-Key": "secret-address"})
    with database.reading() as connection:
        kept = connection.execute(text("SELECT body FROM kept_answers WHERE key = 'secret-address'")).scalars().all()
    assert kept
    assert not any(b"signature" in bytes(body).lower() for body in kept)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> int:
    """Parts of a mebibyte, so that a test need not send hundreds."""
    monkeypatch.setattr(service, "LARGEST_PIECE", MIB)
    return MIB


def _send_parts(person: Person, upload: dict[str, Any], content: bytes) -> None:
    for part in upload["parts"]:
        start = (part["number"] - 1) * MIB
        piece = {"method": "PUT", "url": part["url"], "headers": {"Content-Length": str(part["size"])}}
        sent = person.send(piece, content[start : start + part["size"]])
        assert sent.status_code == 200, sent.text


def test_a_large_file_goes_up_in_parts_and_is_resumed(alice: Person, small_parts: int) -> None:
    item = alice.item()["id"]
    content = bytes(range(256)) * (4096 * 2) + b"the rest"
    announced = alice.announce(item, content)
    id, parts = announced["attachment"]["id"], announced["upload"]["parts"]
    assert [(part["number"], part["size"]) for part in parts] == [(1, MIB), (2, MIB), (3, 8)]
    _send_parts(alice, {"parts": [parts[0], parts[2]]}, content)
    body = problem(alice.post(f"/attachments/{id}/complete"), 409, "parts_missing")
    assert "2" in body["detail"]
    missing = alice.get(f"/attachments/{id}").json["upload"]
    assert [part["number"] for part in missing["parts"]] == [2]
    _send_parts(alice, missing, content)
    assert alice.post(f"/attachments/{id}/complete").json["status"] == "ready"
    assert alice.get(f"/attachments/{id}").json["upload"] is None
    assert _download(alice, id).data == content


def test_the_checksum_of_a_file_in_parts_is_checked(alice: Person, small_parts: int) -> None:
    from awscrt.checksums import crc64nvme

    item, content = alice.item()["id"], b"x" * (MIB + 1)
    right = base64.b64encode(crc64nvme(content).to_bytes(8)).decode()
    for checksum, status in ((right, 200), (base64.b64encode(b"8 bytes.").decode(), 409)):
        announced = alice.announce(item, content, checksum=checksum)
        _send_parts(alice, announced["upload"], content)
        assert alice.post(f"/attachments/{announced['attachment']['id']}/complete").status_code == status


@pytest.mark.parametrize("size", [64 * MIB + 1, 5 * 1024 * MIB, 1024 * 1024 * MIB])
def test_parts_add_up_to_the_file_and_are_few_enough(size: int) -> None:
    parts = service.part_sizes(size)
    assert sum(parts) == size
    assert len(parts) <= 10_000
    assert all(part >= 5 * MIB for part in parts[:-1])


def test_a_quota_is_kept_and_freed(alice: Person, database: Database) -> None:
    item = alice.item()["id"]
    with database.transaction() as connection:
        connection.execute(text("UPDATE workspaces SET storage_quota = 10 WHERE id = :id"), {"id": alice.workspace})
    first = alice.upload(item, b"123456")
    new = {"file_name": "a", "content_type": "text/plain", "size": 5}
    problem(alice.post(f"/items/{item}/attachments", new), 409, "quota")
    assert alice.get(f"/workspaces/{alice.workspace}").json["storage_used"] == 6
    assert alice.delete(f"/attachments/{first['id']}").status_code == 204
    assert alice.get(f"/workspaces/{alice.workspace}").json["storage_used"] == 0
    assert alice.get(f"/items/{item}").json["attachment_count"] == 0
    assert alice.post(f"/items/{item}/attachments", new).status_code == 201


def test_parallel_announcements_do_not_exceed_the_quota(alice: Person, database: Database) -> None:
    from concurrent.futures import ThreadPoolExecutor

    item = alice.item()["id"]
    with database.transaction() as connection:
        connection.execute(text("UPDATE workspaces SET storage_quota = 50 WHERE id = :id"), {"id": alice.workspace})
    new = {"file_name": "a", "content_type": "text/plain", "size": 10}
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(alice.post, f"/items/{item}/attachments", new) for _ in range(16)]
        statuses = sorted(answer.result(timeout=30).status_code for answer in answers)
    assert statuses == [201] * 5 + [409] * 11


@pytest.mark.parametrize(
    ("declared", "content", "served", "disposition"),
    [
        ("image/png", PNG, "image/png", "inline"),
        ("image/png", HTML, "image/png", "attachment"),
        ("text/html", HTML, "application/octet-stream", "attachment"),
        ("image/svg+xml", b"<svg/>", "application/octet-stream", "attachment"),
        ("application/xhtml+xml", HTML, "application/octet-stream", "attachment"),
        ("text/plain", HTML, "text/plain", "attachment"),
        ("application/pdf", b"%PDF-1.7", "application/pdf", "attachment"),
    ],
)
def test_only_harmless_types_are_shown_in_the_browser(
    alice: Person, declared: str, content: bytes, served: str, disposition: str
) -> None:
    made = alice.upload(alice.item()["id"], content, content_type=declared, file_name="f")
    down = _download(alice, made["id"])
    assert (down.mimetype, down.headers["Content-Disposition"].split(";")[0]) == (served, disposition)
    assert "sandbox" in down.headers["Content-Security-Policy"]
    assert down.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"file_name": ""}, "/file_name"),
        ({"content_type": "text"}, "/content_type"),
        ({"content_type": "text/html; charset=x"}, "/content_type"),
        ({"content_type": "a/b\r\nX: y"}, "/content_type"),
        ({"size": -1}, "/size"),
        ({"size": 10**15}, "/size"),
        ({"checksum": "abc"}, "/checksum"),
        ({"checksum": base64.b64encode(b"8 bytes.").decode()}, "/checksum"),
    ],
)
def test_bad_announcements_are_pointed_at(alice: Person, change: dict[str, Any], pointer: str) -> None:
    new = {"file_name": "a", "content_type": "text/plain", "size": 1, **change}
    assert pointers(alice.post(f"/items/{alice.item()['id']}/attachments", new)) == [pointer]


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a\\b.txt", 'q"uote.txt', "naïve 日本.txt", "\u202etxt.exe", "a;b=c.txt"]
)
def test_no_file_name_breaks_out_of_its_header(alice: Person, name: str) -> None:
    made = alice.upload(alice.item()["id"], b"x", file_name=name)
    assert not set(made["file_name"]) & set("/\\\u202e")
    disposition = _download(alice, made["id"]).headers["Content-Disposition"]
    assert disposition.count('"') == 2
    assert "\n" not in disposition


def test_a_deleted_item_takes_its_files_with_it_until_it_is_restored(alice: Person) -> None:
    item = alice.item()["id"]
    made = alice.upload(item, b"x")
    alice.delete(f"/items/{item}")
    problem(alice.get(f"/attachments/{made['id']}"), 404)
    alice.post(f"/items/{item}/restore")
    assert alice.get(f"/attachments/{made['id']}").json["attachment"] == made


def test_a_file_of_no_bytes_is_a_file(alice: Person) -> None:
    made = alice.upload(alice.item()["id"], b"")
    assert _download(alice, made["id"]).data == b""


def test_etags_guard_a_file(alice: Person) -> None:
    made = alice.upload(alice.item()["id"], b"x")
    etag = alice.get(f"/attachments/{made['id']}").headers["ETag"]
    assert alice.get(f"/attachments/{made['id']}", headers={"If-None-Match": etag}).status_code == 304
    problem(alice.delete(f"/attachments/{made['id']}", headers={"If-Match": '"0"'}), 412)
    assert alice.delete(f"/attachments/{made['id']}", headers={"If-Match": etag}).status_code == 204


def test_files_of_two_people_never_share_an_object(alice: Person, bob: Person, services: Services) -> None:
    keys: set[str] = set()
    for person in (alice, bob):
        made = person.upload(person.item()["id"], b"same", file_name="same.txt")
        with services.database.reading() as connection:
            row = connection.execute(text("SELECT object_key FROM attachments WHERE id = :id"), {"id": made["id"]})
            keys.add(row.scalar_one())
    assert len(keys) == 2
