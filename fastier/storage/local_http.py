"""Serves the signed addresses of local storage over HTTP, with S3's answers."""

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from xml.sax.saxutils import escape

from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.utils import send_file
from werkzeug.wrappers import Request, Response

from fastier.storage.addresses import PREFIX, Grant
from fastier.storage.digests import Digest
from fastier.storage.files import new_file
from fastier.storage.local import CHUNK, LocalStorage

# Whatever was uploaded, the browser runs none of it here.
_HARMLESS = {"Content-Security-Policy": "sandbox; default-src 'none'", "X-Content-Type-Options": "nosniff"}
_OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT}


class _Refused(Exception):
    """An answer in S3's form."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def serve(storage: LocalStorage, environ: Any, start_response: Any) -> Any:
    """One request; everything that is wrong with it is an XML document with a code."""
    request = Request(environ)
    try:
        response = _answer(storage, request)
    except _Refused as refused:
        response = _xml(refused)
    except OSError as error:
        response = _xml(_of_disk(error))
    response.headers.update(_HARMLESS)
    return response(environ, start_response)


def _answer(storage: LocalStorage, request: Request) -> Response:
    key = request.path.removeprefix(PREFIX)
    grant = storage.addresses.grant(request.method, key, request.args.to_dict())
    if grant is None:
        raise _Refused(403, "AccessDenied", "The address was not signed for this, or has expired; ask for a new one.")
    if request.method == "PUT":
        return _put(storage, request, grant)
    if request.method in ("GET", "HEAD"):
        return _get(storage, request, grant)
    raise _Refused(405, "MethodNotAllowed", "This address takes GET, HEAD or PUT.")


def _put(storage: LocalStorage, request: Request, grant: Grant) -> Response:
    size = int(grant.parameters["size"])
    if request.content_length != size:
        raise _Refused(403, "SignatureDoesNotMatch", f"Content-Length must be {size}, as it was signed.")
    if "part" in grant.parameters:
        return _put_part(storage, request, grant, size)
    content_type, checksum = grant.parameters["type"], grant.parameters["sha256"]
    if request.headers.get("Content-Type", "") != content_type:
        raise _Refused(403, "SignatureDoesNotMatch", "Content-Type must be as it was signed.")
    if request.headers.get("x-amz-checksum-sha256", "") != checksum:
        raise _Refused(403, "SignatureDoesNotMatch", "x-amz-checksum-sha256 must be as it was signed.")
    digest = Digest("SHA256" if checksum else "CRC64NVME")
    with new_file(storage.object_path(grant.key)) as target:
        _receive(request, size, digest, target)
        if checksum and digest.checksum != checksum:
            raise _Refused(400, "BadDigest", "The bytes are not those of the checksum.")
        storage.write_facts(grant.key, content_type, digest, digest.etag)
    return Response(headers={"ETag": digest.etag})


def _put_part(storage: LocalStorage, request: Request, grant: Grant, size: int) -> Response:
    upload_id, number = grant.parameters["upload"], int(grant.parameters["part"])
    if not storage.has_upload(grant.key, upload_id):
        raise _Refused(404, "NoSuchUpload", "The upload is over.")
    digest = Digest("CRC64NVME")
    path = storage.part_path(upload_id, number)
    with new_file(path) as target:
        _receive(request, size, digest, target)
        path.with_name(f"etag-{number}").write_text(digest.etag)
    return Response(headers={"ETag": digest.etag})


def _receive(request: Request, size: int, digest: Digest, target: BinaryIO) -> None:
    for chunk in _body(request, size):
        digest.update(chunk)
        target.write(chunk)


def _body(request: Request, size: int) -> Iterator[bytes]:
    """The body in chunks; a client that breaks off or falls silent leaves nothing behind."""
    left = size
    while left:
        try:
            chunk = request.stream.read(min(CHUNK, left))
        except Exception as error:
            raise _Refused(408, "RequestTimeout", "The body did not arrive.") from error
        if not chunk:
            raise _Refused(400, "IncompleteBody", "The body is shorter than Content-Length.")
        left -= len(chunk)
        yield chunk


def _get(storage: LocalStorage, request: Request, grant: Grant) -> Response:
    path: Path = storage.object_path(grant.key)
    found = storage.head(grant.key)
    if found is None:
        raise _Refused(404, "NoSuchKey", "There is no such object.")
    try:
        response = send_file(
            path.resolve(),
            request.environ,
            mimetype=grant.parameters["type"],
            conditional=True,
            etag=(found.etag or "").strip('"'),
        )
    except RequestedRangeNotSatisfiable as error:
        raise _Refused(416, "InvalidRange", "The range lies outside of the object.") from error
    response.headers["Content-Type"] = grant.parameters["type"]
    response.headers["Content-Disposition"] = grant.parameters["disposition"]
    response.headers["Cache-Control"] = "private, max-age=300"
    return response


def _of_disk(error: OSError) -> _Refused:
    if error.errno in _OUT_OF_SPACE:
        return _Refused(507, "InsufficientStorage", "The disk is full; make room and try again.")
    return _Refused(503, "SlowDown", "The disk does not answer; try again in a moment.")


def _xml(refused: _Refused) -> Response:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{refused.code}</Code><Message>{escape(refused.message)}</Message></Error>"
    )
    return Response(body, refused.status, mimetype="application/xml")
