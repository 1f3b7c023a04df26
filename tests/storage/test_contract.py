"""What every storage does the same, on S3's protocol and on local files."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from ebtools.s3_endpoint.payloads import checksum
from fastier.storage import ObjectMissing
from tests.storage.stores import Answer, Store, send, upload

KEY = "attachments/0190-workspace/0191-file"
BODY = b"The quick brown fox"
LONG = bytes(range(256)) * 40
SHA256 = checksum("sha256", BODY)


def test_what_is_put_is_found_and_read_back(store: Store) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    assert store.put(KEY, BODY, "text/plain", SHA256).status == 200
    found = store.storage.head(KEY)
    assert found is not None
    assert (found.key, found.size, found.content_type) == (KEY, len(BODY), "text/plain")
    assert (found.checksum, found.checksum_kind) == (SHA256, "SHA256")
    assert found.etag == f'"{hashlib.md5(BODY, usedforsecurity=False).hexdigest()}"'
    assert before <= found.modified_at <= datetime.now(UTC) + timedelta(seconds=2)
    answer = store.get(KEY)
    assert (answer.status, answer.body, answer.headers["etag"]) == (200, BODY, found.etag)
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["content-disposition"].startswith("attachment;")


def test_a_put_without_checksum_gets_one_of_the_whole_object(store: Store) -> None:
    assert store.put(KEY, BODY).status == 200
    found = store.storage.head(KEY)
    assert found is not None
    assert (found.checksum, found.checksum_kind) == (checksum("crc64nvme", BODY), "CRC64NVME")


def test_what_is_not_there_is_missing(store: Store) -> None:
    assert store.storage.head(KEY) is None
    with pytest.raises(ObjectMissing):
        store.storage.read_start(KEY, 16)
    assert (store.get(KEY).status, store.get(KEY).code) == (404, "NoSuchKey")


def test_a_second_put_replaces_the_first(store: Store) -> None:
    store.put(KEY, b"first", "text/html")
    store.put(KEY, BODY, "text/plain", SHA256)
    found = store.storage.head(KEY)
    assert found is not None
    assert (found.content_type, found.checksum) == ("text/plain", SHA256)
    assert store.get(KEY).body == BODY


def refused(store: Store, answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.code) == (status, code)
    assert store.storage.head(KEY) is None


def test_other_bytes_than_announced_are_refused(store: Store) -> None:
    signed = store.storage.presign_put(KEY, content_type="text/plain", size=len(BODY), checksum=SHA256)
    refused(store, upload(signed, BODY[::-1]), 400, "BadDigest")


def test_another_checksum_than_signed_is_refused(store: Store) -> None:
    signed = store.storage.presign_put(KEY, content_type="text/plain", size=len(BODY), checksum=SHA256)
    other = BODY[::-1]
    answer = upload(signed, other, x_amz_checksum_sha256=checksum("sha256", other))
    refused(store, answer, 403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("body", [BODY + b"!", BODY[:-1], b""])
def test_another_length_than_signed_is_refused(store: Store, body: bytes) -> None:
    signed = store.storage.presign_put(KEY, content_type="text/plain", size=len(BODY), checksum=None)
    refused(store, upload(signed, body), 403, "SignatureDoesNotMatch")


def test_another_type_than_signed_is_refused(store: Store) -> None:
    signed = store.storage.presign_put(KEY, content_type="text/plain", size=len(BODY), checksum=None)
    refused(store, upload(signed, BODY, Content_Type="text/html"), 403, "SignatureDoesNotMatch")


def test_an_expired_upload_address_is_refused(store: Store) -> None:
    signed = store.storage.presign_put(KEY, content_type="text/plain", size=len(BODY), checksum=None)
    with store.later(timedelta(minutes=59)):
        assert upload(signed, BODY).status == 200
    store.storage.delete([KEY])
    with store.later(timedelta(minutes=61)):
        answer = upload(signed, BODY)
    refused(store, answer, 403, "AccessDenied")


def test_an_expired_download_address_is_refused(store: Store) -> None:
    store.put(KEY, BODY)
    url = store.storage.presign_get(KEY, file_name="a.txt", content_type="text/plain", inline=False)
    with store.later(timedelta(minutes=4)):
        assert send("GET", url).status == 200
    with store.later(timedelta(minutes=6)):
        assert send("GET", url).status == 403


def test_a_tampered_address_is_refused(store: Store) -> None:
    store.put(KEY, BODY)
    store.put("attachments/other", BODY)
    url = store.storage.presign_get(KEY, file_name="a.txt", content_type="text/plain", inline=False)
    assert send("GET", url).status == 200
    for old, new in ((KEY, "attachments/other"), ("text%2Fplain", "text%2Fhtml"), ("attachment%3B", "inline%3B")):
        assert old in url
        assert send("GET", url.replace(old, new, 1)).status == 403
    assert send("GET", url[:-4] + "AAAA").status == 403
    assert send("GET", url.partition("?")[0]).status == 403


def test_an_address_is_good_for_its_method_only(store: Store) -> None:
    store.put(KEY, BODY)
    url = store.storage.presign_get(KEY, file_name="a.txt", content_type="text/plain", inline=False)
    assert send("PUT", url, BODY[::-1]).status == 403
    assert send("DELETE", url).status == 403
    signed = store.storage.presign_put(KEY, content_type="text/plain", size=len(BODY), checksum=None)
    assert send("GET", signed.url).status == 403
    assert store.get(KEY).body == BODY


@pytest.mark.parametrize(
    ("asked", "sent", "content_range"),
    [
        ("bytes=0-4", BODY[:5], "bytes 0-4/19"),
        ("bytes=4-", BODY[4:], "bytes 4-18/19"),
        ("bytes=-3", BODY[-3:], "bytes 16-18/19"),
        ("bytes=10-999", BODY[10:], "bytes 10-18/19"),
    ],
)
def test_a_range_is_sent_alone(store: Store, asked: str, sent: bytes, content_range: str) -> None:
    store.put(KEY, BODY)
    answer = store.get(KEY, Range=asked)
    assert (answer.status, answer.body, answer.headers["content-range"]) == (206, sent, content_range)


def test_a_range_behind_the_end_is_refused(store: Store) -> None:
    store.put(KEY, BODY)
    assert store.get(KEY, Range="bytes=19-").status == 416


def test_a_version_that_the_client_has_is_not_sent_again(store: Store) -> None:
    store.put(KEY, BODY)
    etag = store.get(KEY).headers["etag"]
    answer = store.get(KEY, If_None_Match=etag)
    assert (answer.status, answer.body) == (304, b"")


def test_the_start_is_read_and_never_more_than_4_kib(store: Store) -> None:
    store.put(KEY, LONG, "application/octet-stream")
    assert store.storage.read_start(KEY, 16) == LONG[:16]
    assert store.storage.read_start(KEY, 1_000_000) == LONG[:4096]


def test_an_empty_object_is_an_object(store: Store) -> None:
    assert store.put(KEY, b"", checksum=checksum("sha256", b"")).status == 200
    found = store.storage.head(KEY)
    assert found is not None
    assert found.size == 0
    assert store.storage.read_start(KEY, 16) == b""
    assert store.get(KEY).body == b""


def test_deleting_twice_is_success(store: Store) -> None:
    store.put(KEY, BODY)
    store.put("attachments/kept", BODY)
    store.storage.delete([KEY, "attachments/never-there"])
    store.storage.delete([KEY])
    store.storage.delete([])
    assert store.storage.head(KEY) is None
    assert store.storage.head("attachments/kept") is not None


def test_objects_are_listed_by_key_in_pages(store: Store) -> None:
    for name in ("a/3", "a/1", "a/2", "b/1", "a-1", "a/20"):
        store.put(name, BODY)
    first = store.storage.list_objects("a/", after="", limit=2)
    assert [(each.key, each.size) for each in first] == [("a/1", len(BODY)), ("a/2", len(BODY))]
    assert abs(datetime.now(UTC) - first[0].modified_at) < timedelta(minutes=1)
    second = store.storage.list_objects("a/", after="a/2", limit=10)
    assert [each.key for each in second] == ["a/20", "a/3"]
    assert store.storage.list_objects("c/", after="", limit=10) == []


def test_an_empty_storage_lists_nothing(store: Store) -> None:
    assert store.storage.list_objects("", after="", limit=10) == []
    assert store.storage.list_multiparts(10) == []


@pytest.mark.parametrize(
    "file_name",
    [
        'a"; x="b.html',
        "a\r\nSet-Cookie: b=c",
        "../../etc/passwd",
        "C:\\dir\\a.txt",
        "Übersicht 2026 – €.pdf",
        "\u202egnp.exe",
        "%22%0d",
    ],
)
def test_no_file_name_breaks_out_of_its_header(store: Store, file_name: str) -> None:
    store.put(KEY, BODY)
    url = store.storage.presign_get(KEY, file_name=file_name, content_type="text/plain", inline=False)
    answer = send("GET", url)
    assert answer.status == 200
    assert "set-cookie" not in answer.headers
    head, _, plain = answer.headers["content-disposition"].partition('; filename="')
    inside, _, extended = plain.partition('"; ')
    assert head == "attachment"
    assert not set(inside) & set('"\\/%\r\n')
    assert extended.startswith("filename*=UTF-8''")


def test_a_type_that_is_shown_is_sent_inline(store: Store) -> None:
    store.put(KEY, BODY, "image/png")
    url = store.storage.presign_get(KEY, file_name="a.png", content_type="image/png", inline=True)
    answer = send("GET", url)
    assert answer.headers["content-disposition"].startswith("inline;")
    assert answer.headers["content-type"] == "image/png"


def test_a_storage_that_answers_is_well(store: Store) -> None:
    store.storage.check()
