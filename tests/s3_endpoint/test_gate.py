"""The endpoint of the tests refuses what S3 refuses; without that, the tests against it would prove little."""

import http.client
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from ebtools.s3_endpoint.payloads import CHUNKED, PREFIX, checksum, verify
from ebtools.s3_endpoint.request import S3Error, WireRequest
from tests.s3_endpoint.fixture import REGION, S3Endpoint

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BODY = b"first bytes"


@dataclass(frozen=True)
class Bucket:
    name: str
    endpoint: S3Endpoint
    client: "S3Client"

    def presigned(self, **parameters: Any) -> str:
        named = {"Bucket": self.name, "Key": "a/b c", "ContentLength": len(BODY), "ContentType": "text/plain"}
        return self.client.generate_presigned_url("put_object", Params={**named, **parameters}, ExpiresIn=60)


@pytest.fixture
def bucket(s3_endpoint: S3Endpoint) -> Iterator[Bucket]:
    client = s3_endpoint.client()
    yield Bucket(s3_endpoint.make_bucket(), s3_endpoint, client)
    client.close()


def put(url: str, body: bytes = BODY, **headers: str) -> tuple[int, str]:
    """The status, and the code of the refusal."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        named = {"Content-Type": "text/plain", **{name.replace("_", "-"): value for name, value in headers.items()}}
        connection.request("PUT", f"{parts.path}?{parts.query}", body, named)
        answer = connection.getresponse()
        _, _, behind = answer.read().decode().partition("<Code>")
        return answer.status, behind.partition("</Code>")[0]
    finally:
        connection.close()


def test_a_good_presigned_upload_is_accepted(bucket: Bucket) -> None:
    assert put(bucket.presigned()) == (200, "")
    assert bucket.client.get_object(Bucket=bucket.name, Key="a/b c")["Body"].read() == BODY


def test_an_upload_without_checksum_gets_one_from_the_store(bucket: Bucket) -> None:
    put(bucket.presigned())
    found = bucket.client.head_object(Bucket=bucket.name, Key="a/b c", ChecksumMode="ENABLED")
    assert found["ChecksumCRC64NVME"] == checksum("crc64nvme", BODY)


def test_a_signed_header_request_is_accepted(bucket: Bucket) -> None:
    bucket.client.put_object(Bucket=bucket.name, Key="k", Body=BODY, ChecksumAlgorithm="SHA256")
    found = bucket.client.head_object(Bucket=bucket.name, Key="k", ChecksumMode="ENABLED")
    assert found["ChecksumSHA256"] == checksum("sha256", BODY)


def test_a_wrong_secret_is_refused_in_header_and_address(bucket: Bucket) -> None:
    wrong = bucket.endpoint.client(secret_key="wrong")
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        wrong.put_object(Bucket=bucket.name, Key="k", Body=BODY)
    url = Bucket(bucket.name, bucket.endpoint, wrong).presigned()
    assert put(url) == (403, "SignatureDoesNotMatch")
    wrong.close()


def test_an_unknown_access_key_is_refused(bucket: Bucket) -> None:
    url = bucket.presigned().replace(bucket.endpoint.access_key, "AKIAOTHER")
    assert put(url) == (403, "InvalidAccessKeyId")


def test_an_unsigned_request_is_refused(bucket: Bucket) -> None:
    assert put(f"{bucket.endpoint.url}/{bucket.name}/k") == (403, "AccessDenied")


@pytest.mark.parametrize(
    ("old", "new"),
    [("a/b%20c", "a/b%20d"), ("X-Amz-Expires=60", "X-Amz-Expires=600"), ("X-Amz-Signature", "acl=&X-Amz-Signature")],
)
def test_a_tampered_address_is_refused(bucket: Bucket, old: str, new: str) -> None:
    url = bucket.presigned()
    assert old in url
    assert put(url.replace(old, new)) == (403, "SignatureDoesNotMatch")


def test_an_expired_address_is_refused(bucket: Bucket) -> None:
    url = bucket.presigned()
    with bucket.endpoint.later(timedelta(seconds=62)):
        assert put(url) == (403, "AccessDenied")


def test_an_old_signed_request_is_refused(bucket: Bucket) -> None:
    with bucket.endpoint.later(timedelta(minutes=16)), pytest.raises(ClientError, match="RequestTimeTooSkewed"):
        bucket.client.put_object(Bucket=bucket.name, Key="k", Body=BODY)


def test_a_changed_header_is_refused(bucket: Bucket) -> None:
    assert put(bucket.presigned(), Content_Type="text/html") == (403, "SignatureDoesNotMatch")


def test_a_changed_length_is_refused(bucket: Bucket) -> None:
    assert put(bucket.presigned(), BODY + b"!") == (403, "SignatureDoesNotMatch")


def test_an_amazon_header_that_was_not_signed_is_refused(bucket: Bucket) -> None:
    assert put(bucket.presigned(), x_amz_acl="public-read") == (403, "AccessDenied")


@pytest.mark.parametrize("algorithm", ["sha256", "crc64nvme"])
def test_a_wrong_checksum_is_refused(bucket: Bucket, algorithm: str) -> None:
    said = checksum(algorithm, BODY)
    url = bucket.presigned(**{f"Checksum{algorithm.upper()}": said})
    assert put(url, BODY[::-1], **{PREFIX + algorithm: said}) == (400, "BadDigest")
    assert put(url, BODY, **{PREFIX + algorithm: said}) == (200, "")


def test_a_wrong_payload_hash_is_refused() -> None:
    request = WireRequest("PUT", "/b/k", [], {}, BODY)
    with pytest.raises(S3Error, match="x-amz-content-sha256"):
        verify(request, "0" * 64)


def test_chunks_with_a_trailer_are_joined_and_checked() -> None:
    def framed(said: str) -> WireRequest:
        body = b"b\r\n" + BODY + b"\r\n0\r\nx-amz-checksum-crc32:" + said.encode() + b"\r\n\r\n"
        return WireRequest("PUT", "/b/k", [], {}, body)

    assert verify(framed(checksum("crc32", BODY)), CHUNKED) == (BODY, "crc32")
    with pytest.raises(S3Error, match="CRC32"):
        verify(framed(checksum("crc32", b"other")), CHUNKED)


def test_the_checksum_that_boto3_adds_by_itself_is_accepted(bucket: Bucket) -> None:
    client = bucket.endpoint.session.client(
        "s3",
        endpoint_url=bucket.endpoint.url,
        region_name=REGION,
        aws_access_key_id=bucket.endpoint.access_key,
        aws_secret_access_key=bucket.endpoint.secret_key,
        config=Config(request_checksum_calculation="when_supported"),
    )
    client.put_object(Bucket=bucket.name, Key="k", Body=BODY)
    assert client.get_object(Bucket=bucket.name, Key="k")["Body"].read() == BODY
    client.close()


def test_the_gate_fails_when_told(bucket: Bucket) -> None:
    with bucket.endpoint.failing(503):
        assert put(bucket.presigned()) == (503, "SlowDown")
    assert put(bucket.presigned()) == (200, "")
