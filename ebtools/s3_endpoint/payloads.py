"""Checks that a body is the one that its request's hash and checksums speak of."""

import base64
import hashlib
import zlib
from collections.abc import Callable

from awscrt import checksums

from ebtools.s3_endpoint.request import S3Error, WireRequest

PREFIX = "x-amz-checksum-"
CHUNKED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
NOT_HASHED = ("UNSIGNED-PAYLOAD", CHUNKED)

ALGORITHMS: dict[str, Callable[[bytes], bytes]] = {
    "sha256": lambda body: hashlib.sha256(body).digest(),
    "sha1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "crc32": lambda body: zlib.crc32(body).to_bytes(4),
    "crc32c": lambda body: checksums.crc32c(body).to_bytes(4),
    "crc64nvme": lambda body: checksums.crc64nvme(body).to_bytes(8),
}


def checksum(algorithm: str, body: bytes) -> str:
    """The checksum of a body as S3 writes it, in base64."""
    return base64.b64encode(ALGORITHMS[algorithm](body)).decode()


def verify(request: WireRequest, payload: str) -> tuple[bytes, str | None]:
    """The body without its framing, and the algorithm of the checksum that was sent with it, if one was."""
    if payload == CHUNKED:
        body, trailers = _decode(request.body)
    elif payload.startswith("STREAMING-"):
        raise S3Error(501, "NotImplemented", "Signed chunks are not understood here.")
    else:
        body, trailers = request.body, {}
    if payload not in NOT_HASHED and payload != hashlib.sha256(body).hexdigest():
        raise S3Error(400, "XAmzContentSHA256Mismatch", "The body is not that of x-amz-content-sha256.")
    return body, _verify_checksums(request, {**request.headers, **trailers}, body)


def _verify_checksums(request: WireRequest, headers: dict[str, str], body: bytes) -> str | None:
    md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    if headers.get("content-md5", md5) != md5:
        raise S3Error(400, "BadDigest", "The body is not that of Content-MD5.")
    if request.method == "POST" and request.parameter("uploadId"):
        # There a checksum is the object's, not the body's.
        return None
    sent = [algorithm for algorithm in ALGORITHMS if PREFIX + algorithm in headers]
    for algorithm in sent:
        if headers[PREFIX + algorithm] != checksum(algorithm, body):
            raise S3Error(400, "BadDigest", f"The {algorithm.upper()} you specified did not match what we received.")
    return sent[0] if sent else None


def _decode(framed: bytes) -> tuple[bytes, dict[str, str]]:
    """The body of aws-chunked framing, and the headers behind its last chunk."""
    body = bytearray()
    while True:
        head, _, framed = framed.partition(b"\r\n")
        try:
            size = int(head.split(b";")[0], 16)
        except ValueError:
            raise S3Error(400, "IncompleteBody", "The chunks are malformed.") from None
        if size == 0:
            break
        body += framed[:size]
        framed = framed[size + 2 :]
    pairs = (line.partition(":") for line in framed.decode("ascii").split("\r\n") if line)
    return bytes(body), {name.lower(): value.strip() for name, _, value in pairs}
