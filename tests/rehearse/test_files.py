"""The endpoint of the rehearsal stores files, and is slow, away or failing when it is told so."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ebtools.local.errors import LocalError
from ebtools.rehearse.endpoint import Keys
from ebtools.rehearse.files import Files
from ebtools.rehearse.server import Site
from fastier.storage.s3 import S3Storage

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HERE = Site("127.0.0.1")
BUCKET = "rehearsed"
# Longer than any test runs; what waits for it was let go by the mending.
FOREVER = 600.0


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Files]:
    endpoint = Files()
    endpoint.start(HERE, 0, tmp_path_factory.mktemp("files") / "log")
    try:
        endpoint.make_bucket(BUCKET)
        yield endpoint
    finally:
        endpoint.stop()


@pytest.fixture
def client(files: Files) -> Iterator["S3Client"]:
    with closing(files.client()) as made:
        yield made
    files.mend()


def put(client: "S3Client", key: str = "a/b c", body: bytes = b"bytes") -> None:
    client.put_object(Bucket=BUCKET, Key=key, Body=body)


def get(client: "S3Client", key: str = "a/b c") -> bytes:
    return client.get_object(Bucket=BUCKET, Key=key)["Body"].read()


def test_what_was_put_is_got(client: "S3Client") -> None:
    put(client, body=b"first")
    assert get(client) == b"first"


def test_the_application_stores_there_with_the_variables_that_it_is_given(
    files: Files, monkeypatch: pytest.MonkeyPatch, client: "S3Client"
) -> None:
    for name, value in files.environ.items():
        monkeypatch.setenv(name, value)
    put(client, "seen")
    storage = S3Storage(BUCKET)
    with closing(storage.client):
        found = storage.head("seen")
    assert found is not None
    assert found.size == len(b"bytes")


def test_other_keys_are_refused(files: Files, tmp_path: Path) -> None:
    stranger = Keys().session().client("s3", endpoint_url=files.url)
    with closing(stranger), pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        put(stranger)
    assert files.keys.secret_key not in repr(files.keys)


def test_slow_lets_every_request_wait(files: Files, client: "S3Client") -> None:
    files.slow(0.3)
    began = time.monotonic()
    put(client)
    assert time.monotonic() - began >= 0.3


def test_mending_lets_go_whoever_waits(files: Files, client: "S3Client") -> None:
    files.slow(FOREVER)
    answered = threading.Event()

    def ask() -> None:
        put(client, "waited")
        answered.set()

    waiting = threading.Thread(target=ask)
    waiting.start()
    try:
        assert not answered.wait(0.2)
    finally:
        files.mend()
        waiting.join(30)
    assert answered.is_set()
    assert get(client, "waited") == b"bytes"


def test_refusing_refuses_connections_and_mending_takes_them_at_the_same_port(files: Files, client: "S3Client") -> None:
    url = files.url
    put(client, "kept", b"kept")
    files.refuse()
    files.refuse()
    with pytest.raises(EndpointConnectionError):
        put(client)
    files.mend()
    assert files.url == url
    assert get(client, "kept") == b"kept"


def test_failing_answers_with_the_status_until_it_is_mended(files: Files, client: "S3Client") -> None:
    files.fail(503)
    with pytest.raises(ClientError) as failed:
        put(client)
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert failed.value.response["Error"]["Code"] == "SlowDown"
    files.mend()
    put(client)


def test_a_fault_takes_the_place_of_the_one_before(files: Files, client: "S3Client") -> None:
    files.slow(FOREVER)
    files.refuse()
    files.fail(500)
    with pytest.raises(ClientError, match="InternalError"):
        put(client)


def test_an_address_that_cannot_be_listened_at_is_told_in_its_own_words(files: Files, tmp_path: Path) -> None:
    port = int(files.url.rpartition(":")[2])
    second = Files()
    with pytest.raises(LocalError, match=r"s3 does not answer: .*in use"):
        second.start(HERE, port, tmp_path / "log")
    with pytest.raises(LocalError, match="was not started"):
        _ = second.url
