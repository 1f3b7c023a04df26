"""What only S3 can do: fail to answer, and be in another region."""

import multiprocessing
import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from fastier.settings import Settings
from fastier.storage import LocalStorage, S3Storage, StorageUnavailable, storage_for
from fastier.storage.breaker import Breaker
from tests.s3_endpoint.fixture import S3Endpoint
from tests.storage.stores import Clock


@pytest.fixture
def breaker() -> Breaker:
    return Breaker(clock=Clock(100.0))


@pytest.fixture
def guarded(s3_storage: S3Storage, breaker: Breaker) -> Iterator[S3Storage]:
    storage = S3Storage(s3_storage.bucket, breaker=breaker)
    yield storage
    storage.client.close()


def presign(storage: S3Storage) -> str:
    return storage.presign_put("a", content_type="text/plain", size=3, checksum=None).url


def test_an_endpoint_that_refuses_connections_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, s3_storage: S3Storage
) -> None:
    with socket.socket() as bound_but_not_listening:
        bound_but_not_listening.bind(("127.0.0.1", 0))
        port = bound_but_not_listening.getsockname()[1]
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
        storage = S3Storage("bucket")
        started = time.monotonic()
        with pytest.raises(StorageUnavailable):
            storage.check()
        assert time.monotonic() - started < 15
        storage.client.close()


@pytest.mark.slow
def test_an_endpoint_that_hangs_is_unavailable_and_holds_nobody_for_long(
    s3_endpoint: S3Endpoint, guarded: S3Storage
) -> None:
    with s3_endpoint.hanging():
        started = time.monotonic()
        with pytest.raises(StorageUnavailable, match="ReadTimeoutError"):
            guarded.head("a")
        assert 2 <= time.monotonic() - started < 8


def test_an_error_is_tried_once_more(s3_endpoint: S3Endpoint, guarded: S3Storage) -> None:
    before = len(s3_endpoint.gate.seen)
    with s3_endpoint.failing(503), pytest.raises(StorageUnavailable, match="503"):
        guarded.head("a")
    assert len(s3_endpoint.gate.seen) - before == 2


def test_after_three_errors_it_is_not_asked_but_still_signs(s3_endpoint: S3Endpoint, guarded: S3Storage) -> None:
    with s3_endpoint.failing(503):
        for _ in range(3):
            with pytest.raises(StorageUnavailable):
                guarded.check()
    before = len(s3_endpoint.gate.seen)
    with pytest.raises(StorageUnavailable, match="not asked"):
        guarded.check()
    assert presign(guarded)
    assert len(s3_endpoint.gate.seen) == before


def test_a_wrong_bucket_is_not_well(s3_storage: S3Storage) -> None:
    storage = S3Storage("no-such-bucket")
    with pytest.raises(StorageUnavailable):
        storage.check()
    storage.client.close()


def test_missing_credentials_are_an_unavailable_storage(monkeypatch: pytest.MonkeyPatch, s3_storage: S3Storage) -> None:
    storage = S3Storage("bucket")
    with monkeypatch.context() as without:
        _without_credentials(without)
        with pytest.raises(StorageUnavailable, match="Credentials"):
            presign(storage)


def _without_credentials(without: pytest.MonkeyPatch) -> None:
    without.delenv("AWS_ACCESS_KEY_ID")
    without.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    without.setenv("AWS_CONFIG_FILE", "/nonexistent")
    without.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "fastier-files.s3.eu-central-1.amazonaws.com"),
        ("us-east-1", "fastier-files.s3.us-east-1.amazonaws.com"),
        ("cn-north-1", "fastier-files.s3.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_on_aws_an_address_names_the_region(
    monkeypatch: pytest.MonkeyPatch, s3_storage: S3Storage, region: str, host: str
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    storage = S3Storage("fastier-files")
    assert urlsplit(presign(storage)).netloc == host


def test_threads_that_come_first_together_share_one_client(s3_storage: S3Storage) -> None:
    storage = S3Storage(s3_storage.bucket)
    seen: list[object] = []
    threads = [threading.Thread(target=lambda: seen.append(storage.client)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(seen) == 8
    assert len(set(map(id, seen))) == 1


def test_forked_processes_share_the_client_that_was_prepared(
    monkeypatch: pytest.MonkeyPatch, s3_storage: S3Storage
) -> None:
    storage = S3Storage(s3_storage.bucket)
    storage.prepare()
    # Each has a connection of its own to the endpoint, or they would read each other's answers.
    asking = [multiprocessing.get_context("fork").Process(target=_ask_often, args=(storage,)) for _ in range(3)]
    with monkeypatch.context() as without:
        without.setattr("fastier.storage.s3.boto3", None)
        for process in asking:
            process.start()
    for process in asking:
        process.join(60)
    assert [process.exitcode for process in asking] == [0, 0, 0]
    storage.client.close()


def _ask_often(storage: S3Storage) -> None:
    for number in range(20):
        assert storage.head(f"none-{number}") is None


def test_credentials_that_come_late_are_found(monkeypatch: pytest.MonkeyPatch, s3_storage: S3Storage) -> None:
    storage = S3Storage(s3_storage.bucket)
    with monkeypatch.context() as without:
        _without_credentials(without)
        storage.prepare()
        with pytest.raises(StorageUnavailable, match="Credentials"):
            storage.check()
    storage.check()
    storage.client.close()


def test_an_upload_address_is_no_part_of_a_repr(s3_storage: S3Storage) -> None:
    signed = s3_storage.presign_put("a", content_type="text/plain", size=3, checksum=None)
    assert "Signature" not in repr(signed)


def test_the_settings_choose_the_storage() -> None:
    on_s3 = Settings("development", "", "k" * 32, storage="s3", s3_bucket="files")
    assert isinstance(storage_for(on_s3), S3Storage)
    assert isinstance(storage_for(Settings("development", "", "k" * 32)), LocalStorage)
