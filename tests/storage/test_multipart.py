"""Uploads in parts: resumed, completed, aborted and listed, on S3's protocol and on local files alike."""

import pytest

from ebtools.s3_endpoint.payloads import checksum
from fastier.storage import ObjectMissing, Part
from tests.storage.stores import Answer, Store, send

KEY = "attachments/0190-workspace/0191-file"
# S3 takes no smaller part, except as the last.
FULL_PART = b"0123456789abcdef" * (5 * 1024 * 1024 // 16)
LAST_PART = b"the end"


def put_part(store: Store, upload_id: str, number: int, body: bytes) -> Answer:
    """As a client does that is told the address alone."""
    return send("PUT", store.storage.presign_part(KEY, upload_id, number, len(body)).url, body)


def test_an_upload_in_parts_goes_on_after_a_part_was_lost(store: Store) -> None:
    storage = store.storage
    upload_id = storage.start_multipart(KEY, content_type="video/mp4")
    assert put_part(store, upload_id, 2, LAST_PART).status == 200
    assert [part.number for part in storage.list_parts(KEY, upload_id)] == [2]
    assert put_part(store, upload_id, 1, FULL_PART).status == 200
    parts = storage.list_parts(KEY, upload_id)
    assert [(part.number, part.size) for part in parts] == [(1, len(FULL_PART)), (2, len(LAST_PART))]
    assert storage.head(KEY) is None
    storage.complete_multipart(KEY, upload_id, parts)
    found = storage.head(KEY)
    assert found is not None
    assert (found.size, found.content_type) == (len(FULL_PART) + len(LAST_PART), "video/mp4")
    assert (found.checksum, found.checksum_kind) == (checksum("crc64nvme", FULL_PART + LAST_PART), "CRC64NVME")
    assert found.etag is not None
    assert found.etag.endswith('-2"')
    assert store.get(KEY).body == FULL_PART + LAST_PART


def test_a_part_that_is_sent_again_replaces_the_first(store: Store) -> None:
    upload_id = store.storage.start_multipart(KEY, content_type="video/mp4")
    put_part(store, upload_id, 1, b"first")
    put_part(store, upload_id, 1, LAST_PART)
    store.storage.complete_multipart(KEY, upload_id, store.storage.list_parts(KEY, upload_id))
    assert store.get(KEY).body == LAST_PART


def test_a_part_of_another_size_than_signed_is_refused(store: Store) -> None:
    upload_id = store.storage.start_multipart(KEY, content_type="video/mp4")
    url = store.storage.presign_part(KEY, upload_id, 1, 10).url
    assert send("PUT", url, b"eleven byte").status == 403
    assert store.storage.list_parts(KEY, upload_id) == []


def test_parts_that_are_not_there_cannot_be_completed(store: Store) -> None:
    storage = store.storage
    upload_id = storage.start_multipart(KEY, content_type="video/mp4")
    put_part(store, upload_id, 1, FULL_PART)
    parts = storage.list_parts(KEY, upload_id)
    with pytest.raises(ObjectMissing):
        storage.complete_multipart(KEY, upload_id, [*parts, Part(2, 5, f'"{"0" * 32}"')])
    assert storage.head(KEY) is None
    assert storage.list_parts(KEY, upload_id) == parts


def test_completing_again_is_success(store: Store) -> None:
    storage = store.storage
    upload_id = storage.start_multipart(KEY, content_type="video/mp4")
    put_part(store, upload_id, 1, LAST_PART)
    parts = storage.list_parts(KEY, upload_id)
    storage.complete_multipart(KEY, upload_id, parts)
    storage.complete_multipart(KEY, upload_id, parts)
    assert store.get(KEY).body == LAST_PART
    with pytest.raises(ObjectMissing):
        storage.list_parts(KEY, upload_id)


def test_an_aborted_upload_is_over(store: Store) -> None:
    storage = store.storage
    upload_id = storage.start_multipart(KEY, content_type="video/mp4")
    put_part(store, upload_id, 1, LAST_PART)
    parts = storage.list_parts(KEY, upload_id)
    storage.abort_multipart(KEY, upload_id)
    storage.abort_multipart(KEY, upload_id)
    assert put_part(store, upload_id, 1, LAST_PART).status == 404
    with pytest.raises(ObjectMissing):
        storage.complete_multipart(KEY, upload_id, parts)
    assert storage.head(KEY) is None


def test_unfinished_uploads_are_listed_with_their_start(store: Store) -> None:
    upload_id = store.storage.start_multipart(KEY, content_type="video/mp4")
    (found,) = store.storage.list_multiparts(10)
    assert (found.key, found.upload_id) == (KEY, upload_id)
    # moto tells a fixed moment of every upload.
    assert found.started_at.tzinfo is not None
    store.storage.abort_multipart(KEY, upload_id)
    assert store.storage.list_multiparts(10) == []
