"""Idempotency-Key: the answer is kept in the transaction of its effect, so that a retry never acts twice."""

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson
from flask import request
from sqlalchemy import Connection, text

from fastier.errors import BadRequest, Conflict, Invalid
from fastier.web.call import AnswerInstead, Reply
from fastier.web.viewer import Viewer

HEADER = "Idempotency-Key"
LONGEST_KEY = 255
KEPT_FOR = "24 hours"

# The lock ends with the transaction; whoever asks for the same key meanwhile is told so instead of waiting.
_LOCK = text("SELECT pg_try_advisory_xact_lock(:lock)")
_FIND = text(
    f"""SELECT fingerprint, status, body, etag FROM kept_answers
    WHERE user_id = :user_id AND key = :key AND created_at > now() - interval '{KEPT_FOR}'"""
)
_KEEP = text(
    """INSERT INTO kept_answers (user_id, key, fingerprint, status, body, etag)
    VALUES (:user_id, :key, :fingerprint, :status, :body, :etag)
    ON CONFLICT (user_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, status = excluded.status,
        body = excluded.body, etag = excluded.etag, created_at = now()"""
)
_PURGE = text(
    f"""DELETE FROM kept_answers WHERE (user_id, key) IN (
        SELECT user_id, key FROM kept_answers WHERE created_at <= now() - interval '{KEPT_FOR}' LIMIT :limit)"""
)


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """One use of a key; made before the effect, kept with it."""

    viewer: Viewer
    key: str
    fingerprint: bytes

    def begin(self, connection: Connection) -> None:
        """Hold the key until the commit; AnswerInstead, 409 or 422 where it has been used."""
        digest = hashlib.sha256(self.viewer.user_id.bytes + self.key.encode()).digest()
        if not connection.execute(_LOCK, {"lock": int.from_bytes(digest[:8], signed=True)}).scalar_one():
            raise Conflict(
                "A request with this Idempotency-Key is still running; try again.",
                code="key_in_use",
                headers={"Retry-After": "1"},
            )
        kept = connection.execute(_FIND, {"user_id": str(self.viewer.user_id), "key": self.key}).one_or_none()
        if kept is None:
            return
        if bytes(kept.fingerprint) != self.fingerprint:
            raise Invalid("This Idempotency-Key was used for another request.", code="key_reused")
        body = orjson.loads(bytes(kept.body)) if kept.body else None
        raise AnswerInstead(Reply(body, kept.status, kept.etag, {"Idempotent-Replayed": "true"}))

    def keep(self, connection: Connection, reply: Reply) -> None:
        connection.execute(
            _KEEP,
            {
                "user_id": str(self.viewer.user_id),
                "key": self.key,
                "fingerprint": self.fingerprint,
                "status": reply.status,
                "body": b"" if reply.body is None else orjson.dumps(reply.body, option=orjson.OPT_UTC_Z),
                "etag": reply.etag,
            },
        )


def keyed_request(viewer: Viewer, raw: bytes) -> KeyedRequest | None:
    """The request's key, None without one; BadRequest when it cannot be a key."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise BadRequest(f"{HEADER} must be 1 to {LONGEST_KEY} printable ASCII characters.", code="bad_key")
    seen = b"\0".join((request.method.encode(), request.full_path.encode(), raw))
    return KeyedRequest(viewer, key, hashlib.sha256(seen).digest())


def purge(connection: Connection, limit: int) -> int:
    """Delete up to `limit` answers that are no longer kept; how many were deleted."""
    result: Any = connection.execute(_PURGE, {"limit": limit})
    return int(result.rowcount)
