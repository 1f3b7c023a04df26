"""ETags made from revisions, and the two conditional headers compared with them."""

from flask import request
from werkzeug.datastructures import ETags

from fastier.errors import PreconditionFailed


class NotModified(Exception):
    """The client's copy is still right: 304, and nothing more is read."""

    def __init__(self, etag: str) -> None:
        super().__init__(etag)
        self.etag = etag


def _holds(header: ETags, etag: str) -> bool:
    # A proxy that compresses turns a strong ETag into a weak one; a revision is the same either way.
    return header.contains_weak(etag.strip('"'))


def not_modified(etag: str) -> None:
    """Raise NotModified when If-None-Match already names this ETag."""
    if request.if_none_match and _holds(request.if_none_match, etag):
        raise NotModified(etag)


def require_match(etag: str) -> None:
    """Raise PreconditionFailed when If-Match was sent and names another ETag; call it after the lock is held."""
    if "If-Match" in request.headers and not _holds(request.if_match, etag):
        raise PreconditionFailed("It has changed since you read it; read it again and repeat your change.")
