"""Files on S3: clients talk to it directly by signed addresses, this process only asks for facts."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from fastier.storage.breaker import Breaker
from fastier.storage.disposition import content_disposition
from fastier.storage.protocol import (
    DOWNLOAD_SECONDS,
    MOST_DELETED,
    MOST_READ,
    UPLOAD_SECONDS,
    ChecksumKind,
    ObjectMissing,
    Part,
    SignedRequest,
    StorageUnavailable,
    StoredObject,
    Upload,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Facts come within tens of milliseconds. Two attempts of three seconds at most, and whoever asks is told to come back;
# a call whose answer was lost is safe to repeat. A checksum is sent only where one is asked
# for: a signed address can carry no header that its client does not know of.
_CONFIG = Config(
    signature_version="s3v4",
    connect_timeout=1,
    read_timeout=2,
    retries={"total_max_attempts": 2, "mode": "standard"},
    max_pool_connections=8,
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)
_MISSING = {"404", "NoSuchKey", "NoSuchUpload", "NotFound", "InvalidPart"}
_REGIONAL = Config(s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"})
_AWS = (".amazonaws.com", ".amazonaws.com.cn")


class S3Storage:
    """One bucket; the client is made at the first call, unless `prepare` has made it before."""

    def __init__(self, bucket: str, *, breaker: Breaker | None = None) -> None:
        self.bucket = bucket
        self._breaker = breaker or Breaker()
        self._lock = threading.Lock()
        self._client: S3Client | None = None

    def prepare(self) -> None:
        """Make the client before processes fork, which then share its memory; it connects to nobody."""
        # Where it cannot be made yet, the first call tries again, and says why not.
        with suppress(BotoCoreError, ValueError), self._lock:
            self._client = _connect()

    @property
    def client(self) -> "S3Client":
        with self._lock:
            if self._client is None:
                self._client = _connect()
            return self._client

    @contextmanager
    def _asking(self) -> Iterator["S3Client"]:
        """The client, with its errors as ours, behind the breaker."""
        with self._breaker.call(), _our_errors():
            yield self.client

    def _presign(self, operation: str, seconds: int, **parameters: Any) -> str:
        """Signing asks nobody; only credentials that cannot be had make it fail."""
        named = {"Bucket": self.bucket, **parameters}
        with _our_errors():
            return self.client.generate_presigned_url(operation, Params=named, ExpiresIn=seconds)

    def presign_put(self, key: str, *, content_type: str, size: int, checksum: str | None) -> SignedRequest:
        headers = {"Content-Type": content_type, "Content-Length": str(size)}
        parameters: dict[str, Any] = {"Key": key, "ContentType": content_type, "ContentLength": size}
        if checksum is not None:
            headers["x-amz-checksum-sha256"] = parameters["ChecksumSHA256"] = checksum
        return SignedRequest("PUT", self._presign("put_object", UPLOAD_SECONDS, **parameters), headers)

    def presign_get(self, key: str, *, file_name: str, content_type: str, inline: bool) -> str:
        return self._presign(
            "get_object",
            DOWNLOAD_SECONDS,
            Key=key,
            ResponseContentType=content_type,
            ResponseContentDisposition=content_disposition(file_name, inline=inline),
        )

    def start_multipart(self, key: str, *, content_type: str) -> str:
        with self._asking() as client:
            answer = client.create_multipart_upload(
                Bucket=self.bucket,
                Key=key,
                ContentType=content_type,
                ChecksumAlgorithm="CRC64NVME",
                ChecksumType="FULL_OBJECT",
            )
            return answer["UploadId"]

    def presign_part(self, key: str, upload_id: str, number: int, size: int) -> SignedRequest:
        parameters = {"Key": key, "UploadId": upload_id, "PartNumber": number, "ContentLength": size}
        url = self._presign("upload_part", UPLOAD_SECONDS, **parameters)
        return SignedRequest("PUT", url, {"Content-Length": str(size)})

    def list_parts(self, key: str, upload_id: str) -> list[Part]:
        with self._asking() as client:
            pages = client.get_paginator("list_parts").paginate(Bucket=self.bucket, Key=key, UploadId=upload_id)
            parts = [part for page in pages for part in page.get("Parts", [])]
        return [Part(part["PartNumber"], part["Size"], part["ETag"]) for part in parts]

    def complete_multipart(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        named: Any = {"Parts": [{"PartNumber": part.number, "ETag": part.etag} for part in parts]}
        try:
            with self._asking() as client:
                client.complete_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id, MultipartUpload=named)
        except ObjectMissing as missing:
            # The answer to an earlier call may have been lost on its way, and the upload is over.
            if missing.args != ("NoSuchUpload",) or self.head(key) is None:
                raise

    def abort_multipart(self, key: str, upload_id: str) -> None:
        try:
            with self._asking() as client:
                client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)
        except ObjectMissing:
            return

    def head(self, key: str) -> StoredObject | None:
        try:
            with self._asking() as client:
                answer = client.head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED")
        except ObjectMissing:
            return None
        checksum, kind = _checksum_of(answer)
        content_type = answer.get("ContentType")
        return StoredObject(
            key, answer["ContentLength"], answer["LastModified"], content_type, checksum, kind, answer["ETag"]
        )

    def read_start(self, key: str, length: int) -> bytes:
        last = min(length, MOST_READ) - 1
        with self._asking() as client:
            try:
                answer = client.get_object(Bucket=self.bucket, Key=key, Range=f"bytes=0-{last}")
            except ClientError as error:
                # An empty object has no first byte.
                if error.response["Error"]["Code"] == "InvalidRange":
                    return b""
                raise
            with closing(answer["Body"]) as body:
                return body.read(MOST_READ)

    def delete(self, keys: Sequence[str]) -> None:
        if not keys:
            return
        assert len(keys) <= MOST_DELETED, "S3 takes no more at once"
        with self._asking() as client:
            answer = client.delete_objects(
                Bucket=self.bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
            )
        if answer.get("Errors"):
            raise StorageUnavailable(f"S3 deleted all but {len(answer['Errors'])}")

    def list_objects(self, prefix: str, *, after: str, limit: int) -> list[StoredObject]:
        with self._asking() as client:
            answer = client.list_objects_v2(
                Bucket=self.bucket, Prefix=prefix, StartAfter=after, MaxKeys=min(limit, 1000)
            )
        return [StoredObject(each["Key"], each["Size"], each["LastModified"]) for each in answer.get("Contents", [])]

    def list_multiparts(self, limit: int) -> list[Upload]:
        with self._asking() as client:
            answer = client.list_multipart_uploads(Bucket=self.bucket, MaxUploads=min(limit, 1000))
        return [Upload(each["Key"], each["UploadId"], each["Initiated"]) for each in answer.get("Uploads", [])]

    def check(self) -> None:
        try:
            with self._asking() as client:
                client.head_bucket(Bucket=self.bucket)
        except ObjectMissing as error:
            raise StorageUnavailable("there is no such bucket") from error


def _connect() -> "S3Client":
    """A client for signed addresses that S3 takes in every region."""
    # The default session must not be shared between threads.
    session = boto3.Session()
    # A client that has found no credentials would never look for them again.
    if session.get_credentials() is None:
        raise NoCredentialsError
    client = session.client("s3", config=_CONFIG)
    if not client.meta.endpoint_url.endswith(_AWS):
        return client
    # By default a signed address names the global endpoint, which redirects to the bucket's region, where its
    # signature is wrong. Only with this style the address is the region's own.
    client.close()
    return session.client("s3", config=_CONFIG.merge(_REGIONAL))


@contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _MISSING:
            raise ObjectMissing(code) from error
        raise StorageUnavailable(f"S3 answered {code}") from error
    except BotoCoreError as error:
        raise StorageUnavailable(type(error).__name__) from error


def _checksum_of(answer: Any) -> tuple[str, ChecksumKind] | tuple[None, None]:
    """A composite checksum, which ends with a dash and the number of parts, is of no use to us."""
    sha256 = answer.get("ChecksumSHA256")
    if sha256 and "-" not in sha256:
        return sha256, "SHA256"
    crc = answer.get("ChecksumCRC64NVME")
    return (crc, "CRC64NVME") if crc else (None, None)
