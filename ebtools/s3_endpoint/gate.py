"""Stands before moto's S3 and refuses what S3 would refuse: moto itself checks no signature and no checksum."""

import io
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode
from wsgiref.types import WSGIApplication

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from ebtools.s3_endpoint import payloads, signatures
from ebtools.s3_endpoint.request import S3Error, WireRequest

# No test waits longer for an endpoint that hangs on purpose.
LONGEST_HANG_SECONDS = 30


class Gate:
    """A WSGI application before another; it can also be told to fail, to hang, and that it is later than it is."""

    def __init__(self, app: WSGIApplication, secret_keys: Mapping[str, str]) -> None:
        self._app = app
        self._secret_keys = secret_keys
        self.later = timedelta(0)
        self.fails_with: int | None = None
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.seen: list[tuple[str, str]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            self._admit(environ)
        except S3Error as error:
            body = b"" if environ["REQUEST_METHOD"] == "HEAD" else error.document()
            start_response(f"{error.status} {error.code}", [("Content-Type", "application/xml")])
            return [body]
        return self._app(environ, start_response)

    def _admit(self, environ: dict[str, Any]) -> None:
        request = WireRequest.from_environ(environ)
        self.seen.append((request.method, request.path))
        self.goes_on.wait(LONGEST_HANG_SECONDS)
        if self.fails_with is not None:
            raise S3Error(self.fails_with, "SlowDown", "Please reduce your request rate.")
        claim = signatures.verify(request, self._secret_keys, datetime.now(UTC) + self.later)
        body, algorithm = payloads.verify(request, claim.payload)
        _check_upload(request)
        _as_authorized(environ, request, claim)
        _pass_on(environ, request, body, algorithm)


def _check_upload(request: WireRequest) -> None:
    """moto answers 500 to parts of an upload that is over, and to completing it."""
    upload_id = request.parameter("uploadId")
    bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(request.path.split("/")[1])
    if upload_id and bucket is not None and upload_id not in bucket.multiparts:
        raise S3Error(404, "NoSuchUpload", "The specified upload does not exist.")


def _as_authorized(environ: dict[str, Any], request: WireRequest, claim: signatures.Claim) -> None:
    """Hide the signature of a presigned address, which moto would check once more in a way of its own."""
    query = [(name, value) for name, value in request.query if not name.startswith("X-Amz-")]
    environ["QUERY_STRING"] = urlencode(query)
    environ["RAW_URI"] = environ["REQUEST_URI"] = f"{quote(request.path)}?{urlencode(query)}"
    environ["HTTP_AUTHORIZATION"] = (
        f"{signatures.ALGORITHM} Credential={claim.credential}, SignedHeaders=host, Signature={claim.signature}"
    )


def _pass_on(environ: dict[str, Any], request: WireRequest, body: bytes, algorithm: str | None) -> None:
    """Hand moto the plain body, and have it keep the checksum: S3 adds one of its own where none was sent."""
    for name in ("HTTP_CONTENT_ENCODING", "HTTP_X_AMZ_TRAILER", "HTTP_X_AMZ_DECODED_CONTENT_LENGTH"):
        environ.pop(name, None)
    environ["HTTP_X_AMZ_CONTENT_SHA256"] = "UNSIGNED-PAYLOAD"
    environ["CONTENT_LENGTH"] = str(len(body))
    environ["wsgi.input"] = io.BytesIO(body)
    if request.method == "PUT":
        algorithm = algorithm or "crc64nvme"
        environ["HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM"] = algorithm.upper()
        environ[f"HTTP_X_AMZ_CHECKSUM_{algorithm.upper()}"] = payloads.checksum(algorithm, body)
