"""Gives each request its id and its record, and writes one line about it when its response is closed."""

import errno
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import structlog
from uuid_utils.compat import uuid7

from fastier.log import describe

RECORD = "fastier.record"
# Probes come every few seconds from several sides; they are no traffic.
HEALTH = "/health/"

LONGEST_PATH = 200
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}").fullmatch
_ARRIVAL = re.compile(r"t=(\d{1,12}(?:\.\d{1,6})?)").fullmatch
# The longest address with a zone; anything longer in a header is none.
_LONGEST_ADDRESS = 64

log: Any = structlog.get_logger()


@dataclass(slots=True)
class RequestRecord:
    """What is known of one request; found at environ["fastier.record"], all durations in seconds."""

    request_id: str
    method: str
    path: str
    address: str
    # Time in nginx's and gunicorn's queues, before this process began on it; None without a trusted stamp.
    queue_seconds: float | None = None
    started: float = field(default_factory=time.perf_counter)
    # Time spent in admission's waiting room.
    wait_seconds: float = 0.0
    route: str | None = None
    user: str | None = None
    database_seconds: float = 0.0
    statements: int = 0
    error: BaseException | None = None
    status: int = 0
    bytes_sent: int = 0
    is_complete: bool = False

    def fields(self) -> dict[str, Any]:
        """The line's fields; neither bodies nor query strings nor headers are among them."""
        fields: dict[str, Any] = {
            "id": self.request_id,
            "method": self.method,
            "route": self.route,
            "path": self.path,
            "status": self.status,
            "bytes": self.bytes_sent,
            "duration_ms": _milliseconds(time.perf_counter() - self.started),
            "queue_ms": None if self.queue_seconds is None else _milliseconds(self.queue_seconds),
            "wait_ms": _milliseconds(self.wait_seconds),
            "db_ms": _milliseconds(self.database_seconds),
            "statements": self.statements,
            "user": self.user,
            "address": self.address,
        }
        if not self.is_complete:
            fields["aborted"] = True
        if self.error is not None:
            fields |= describe(self.error)
        return fields

    def write(self) -> None:
        if self.status >= 500 or self.error is not None:
            log.error("request", **self.fields())
        elif self.path.startswith(HEALTH):
            log.debug("request", **self.fields())
        else:
            log.info("request", **self.fields())


class RequestLog:
    """WSGI middleware; `fail` answers a request whose application raised before it answered."""

    def __init__(
        self,
        app: WSGIApplication,
        *,
        trusted_hops: int,
        fail: Callable[[RequestRecord, StartResponse], Iterable[bytes]],
    ) -> None:
        self.app = app
        self.trusted_hops = trusted_hops
        self.fail = fail

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        record = environ[RECORD] = read_record(environ, self.trusted_hops)

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Callable[[bytes], object]:
            record.status = int(status[:3])
            return start_response(status, [*headers, ("X-Request-Id", record.request_id)], *exc_info)

        try:
            body = self.app(environ, start)
        except Exception as error:
            record.error = error
            if record.status:
                record.write()
                raise _broken_off() from error
            body = self.fail(record, start)
        return _Recorded(body, record)


class _Recorded:
    """The response's body, counted; closing it writes the line."""

    def __init__(self, body: Iterable[bytes], record: RequestRecord) -> None:
        self.body = body
        self.chunks = iter(body)
        self.record = record
        self.is_closed = False
        # Nothing of such a body goes out, whatever the application hands over.
        self.is_empty = record.method == "HEAD" or record.status in (204, 304)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = next(self.chunks)
        except StopIteration:
            self.record.is_complete = True
            raise
        except Exception as error:
            self.record.error = error
            raise _broken_off() from error
        if not self.is_empty:
            self.record.bytes_sent += len(chunk)
        return chunk

    def close(self) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        try:
            if (close := getattr(self.body, "close", None)) is not None:
                close()
        except Exception as error:
            self.record.error = self.record.error or error
        self.record.write()


def read_record(environ: WSGIEnvironment, trusted_hops: int) -> RequestRecord:
    given = environ.get("HTTP_X_REQUEST_ID", "")
    return RequestRecord(
        request_id=given if _REQUEST_ID(given) else str(uuid7()),
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", "")[:LONGEST_PATH].encode("latin-1").decode("utf-8", "replace"),
        address=_client_address(environ, trusted_hops),
        queue_seconds=_queue_seconds(environ) if trusted_hops else None,
    )


def _client_address(environ: WSGIEnvironment, trusted_hops: int) -> str:
    """Who asked: each trusted proxy appended its peer, so the first of them is that many from the end."""
    if trusted_hops and (forwarded := environ.get("HTTP_X_FORWARDED_FOR")):
        peers = [peer.strip() for peer in forwarded.split(",")]
        return str(peers[-min(trusted_hops, len(peers))])[:_LONGEST_ADDRESS]
    return str(environ.get("REMOTE_ADDR", ""))


def _queue_seconds(environ: WSGIEnvironment) -> float | None:
    """The age of nginx's stamp, `X-Request-Start: t=<seconds.milliseconds>`; None when it is unreadable."""
    stamp = _ARRIVAL(environ.get("HTTP_X_REQUEST_START", ""))
    return max(0.0, time.time() - float(stamp[1])) if stamp else None


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)


def _broken_off() -> BrokenPipeError:
    # The status line is out, so the only honest end is to cut the connection; gunicorn does so without a
    # second ERROR line for this kind of error.
    return BrokenPipeError(errno.EPIPE, "the response was broken off")
