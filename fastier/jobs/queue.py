"""SQL about the queue: enqueue in the caller's transaction, lease, renew, finish, retry or give up."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, text

_ENQUEUE = text(
    """INSERT INTO jobs (kind, payload, key, run_at)
    VALUES (:kind, CAST(:payload AS jsonb), :key, coalesce(CAST(:run_at AS timestamptz), now()))
    ON CONFLICT (key) WHERE failed_at IS NULL DO NOTHING"""
)
# Whoever comes first in a period adds its job; the row stays when the job is done.
_ENQUEUE_PERIOD = text(
    """WITH turn AS (
        INSERT INTO job_periods AS p (kind, period) VALUES (:kind, :period)
        ON CONFLICT (kind) DO UPDATE SET period = excluded.period WHERE p.period < excluded.period RETURNING kind)
    INSERT INTO jobs (kind, payload, key) SELECT kind, '{}', 'periodic ' || kind FROM turn
    ON CONFLICT (key) WHERE failed_at IS NULL DO NOTHING"""
)
_LEASE = text(
    """UPDATE jobs SET attempts = attempts + 1, holder = :holder,
        run_at = clock_timestamp() + make_interval(secs => :lease)
    WHERE id = (SELECT id FROM jobs WHERE failed_at IS NULL AND run_at <= clock_timestamp() AND kind = ANY(:kinds)
        ORDER BY run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id, kind, payload, attempts"""
)
_RENEW = text(
    """UPDATE jobs SET run_at = clock_timestamp() + make_interval(secs => :lease)
    WHERE id = :id AND holder = :holder AND failed_at IS NULL"""
)
_FINISH = text("DELETE FROM jobs WHERE id = :id AND holder = :holder")
_RETRY = text(
    """UPDATE jobs SET holder = NULL, last_error = :error,
        run_at = clock_timestamp() + make_interval(secs => :delay)
    WHERE id = :id AND holder = :holder"""
)
_GIVE_UP = text(
    "UPDATE jobs SET holder = NULL, last_error = :error, failed_at = now() WHERE id = :id AND holder = :holder"
)
_OVERVIEW = text(
    """SELECT
        (SELECT extract(epoch FROM clock_timestamp() - min(run_at)) FROM jobs
            WHERE failed_at IS NULL AND run_at <= clock_timestamp()) AS oldest,
        (SELECT count(*) FROM (SELECT FROM jobs WHERE failed_at IS NOT NULL LIMIT 1000) counted) AS failed"""
)
_PURGE = text(
    """DELETE FROM jobs WHERE id IN (
        SELECT id FROM jobs WHERE failed_at < now() - interval '30 days' ORDER BY failed_at LIMIT :limit)"""
)
# Enough to see what went wrong; an error's text may be as long as what it complains about.
_LONGEST_ERROR = 500


@dataclass(frozen=True, slots=True)
class Lease:
    """A job that one runner works on; `attempts` counts this attempt."""

    id: int
    kind: str
    payload: dict[str, Any]
    attempts: int
    holder: str


@dataclass(frozen=True, slots=True)
class JobsOverview:
    """How the queue is doing: the age in seconds of the oldest due job, and how many were given up (at most 1000)."""

    oldest_ready_seconds: float
    failed: int


def enqueue(
    connection: Connection,
    kind: str,
    payload: dict[str, Any],
    *,
    run_at: datetime | None = None,
    key: str | None = None,
) -> None:
    """Add a job if the caller's transaction commits, and none with this key is unfinished.

    The payload is kept in the database until the job is done: no secret belongs into it.
    """
    connection.execute(
        _ENQUEUE, {"kind": kind, "payload": orjson.dumps(payload).decode(), "key": key, "run_at": run_at}
    )


def enqueue_period(connection: Connection, kind: str, period: int) -> None:
    """Add the job of the period that began at this second of the epoch, unless there is one or the last is unfinished.

    Seconds rather than a count of periods, so that a release may change how often.
    """
    connection.execute(_ENQUEUE_PERIOD, {"kind": kind, "period": period})


def lease(connection: Connection, holder: str, kinds: Collection[str], seconds: float) -> Lease | None:
    """Take the job that has been due the longest, for so many seconds; None when nothing is due."""
    parameters = {"holder": holder, "kinds": list(kinds), "lease": seconds}
    row = connection.execute(_LEASE, parameters).one_or_none()
    return Lease(row.id, row.kind, row.payload, row.attempts, holder) if row else None


def renew(connection: Connection, held: Lease, seconds: float) -> bool:
    """Hold the job for so many seconds more; False when the lease was lost."""
    parameters = {"id": held.id, "holder": held.holder, "lease": seconds}
    return bool(connection.execute(_RENEW, parameters).rowcount)


def finish(connection: Connection, held: Lease) -> None:
    """Delete a job that is done, unless its lease was lost: then whoever has it finishes it."""
    connection.execute(_FINISH, {"id": held.id, "holder": held.holder})


def retry(connection: Connection, held: Lease, error: str, delay: float) -> None:
    """Put the job back, due after so many seconds."""
    parameters = {"id": held.id, "holder": held.holder, "error": _storable(error), "delay": delay}
    connection.execute(_RETRY, parameters)


def give_up(connection: Connection, held: Lease, error: str) -> None:
    """Keep the job as failed, for people to look at."""
    connection.execute(_GIVE_UP, {"id": held.id, "holder": held.holder, "error": _storable(error)})


def _storable(error: str) -> str:
    """What PostgreSQL takes as text: an error may repeat a file's NUL or half a surrogate pair."""
    return error[:_LONGEST_ERROR].replace("\0", "").encode(errors="replace").decode()


def jobs_overview(connection: Connection) -> JobsOverview:
    row = connection.execute(_OVERVIEW).one()
    return JobsOverview(max(0.0, float(row.oldest or 0)), int(row.failed))


def purge(connection: Connection, limit: int) -> int:
    """Delete up to `limit` jobs that were given up a month ago; how many were deleted."""
    return int(connection.execute(_PURGE, {"limit": limit}).rowcount)
