"""Counts attempts in the database, by the generic cell rate algorithm: one row and one statement for a key.

The row holds the moment at which all attempts will have been given back. An attempt moves it on by one attempt's
share of the period, unless that would be further ahead than the whole period.
"""

import hashlib
from datetime import timedelta

from sqlalchemy import Connection, text

# A key that has no row, or a row in the past, may use the whole burst. The clock is the database's: one for all.
_ALLOW = text(
    """INSERT INTO throttles AS t (digest, full_at) VALUES (:digest, clock_timestamp() + :share)
    ON CONFLICT (digest) DO UPDATE SET full_at = greatest(t.full_at, clock_timestamp()) + :share
        WHERE greatest(t.full_at, clock_timestamp()) + :share <= clock_timestamp() + :per
    RETURNING 1"""
)
_WAIT = text(
    """SELECT greatest(0, extract(epoch FROM full_at + :share - (clock_timestamp() + :per))) FROM throttles
    WHERE digest = :digest"""
)
_FORGET = text("DELETE FROM throttles WHERE digest = :digest")
_PURGE = text(
    """DELETE FROM throttles WHERE digest IN (
        SELECT digest FROM throttles WHERE full_at < now() ORDER BY full_at LIMIT :limit FOR UPDATE SKIP LOCKED)"""
)
# Shown when the row went away between the refusal and the question how long to wait.
_SHORTEST_WAIT = 0.001


def allow(connection: Connection, key: str, *, burst: int, per: timedelta) -> float:
    """Count one attempt of `burst` in `per`: 0.0 when it is allowed, else the seconds until the next one is."""
    parameters = {"digest": _digest(key), "share": per / burst, "per": per}
    if connection.execute(_ALLOW, parameters).one_or_none() is not None:
        return 0.0
    wait = connection.execute(_WAIT, parameters).scalar_one_or_none()
    return max(float(wait or 0.0), _SHORTEST_WAIT)


def forget(connection: Connection, key: str) -> None:
    """Give the key all its attempts back."""
    connection.execute(_FORGET, {"digest": _digest(key)})


def purge_throttles(connection: Connection, limit: int) -> int:
    """Delete up to `limit` rows that say nothing any more; how many were deleted."""
    return int(connection.execute(_PURGE, {"limit": limit}).rowcount)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
