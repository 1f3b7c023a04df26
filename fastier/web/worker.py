"""Gives gunicorn our manners: JSON lines, problem documents for what is no HTTP, and no waiting to close."""

import functools
import socket
import time
from typing import Any

import structlog
from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from gunicorn.http import errors as http  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]
from uuid_utils.compat import uuid7

from fastier.errors import BadRequest, Problem
from fastier.log import JsonFormatter, describe
from fastier.web import refusals
from fastier.web.memory import MemoryGuard
from fastier.web.security_headers import SecurityHeaders

log: Any = structlog.get_logger()

# How much of a refused request's body is taken before its connection is cut, how long that may take, and how
# long the client may pause.
DRAIN_BYTES = 4 * 1024 * 1024
DRAIN_SECONDS = 1.0
DRAIN_PAUSE_SECONDS = 0.05

_STATUSES: dict[type[Exception], int] = {
    http.ExpectationFailed: 417,
    http.LimitRequestHeaders: 431,
    http.LimitRequestLine: 414,
}
# Strict-Transport-Security is left out: whoever sends such bytes is no browser that would heed it.
_SECURITY = SecurityHeaders(lambda _environ, _start: [], production=False)


class JsonLogger(Logger):  # type: ignore[misc]
    """gunicorn's own lines as JSON on stderr; its access log stays off, since the request log replaces it."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(JsonFormatter())


class Worker(ThreadWorker):  # type: ignore[misc]
    """A gthread worker; only how it closes and when it retires, and its answer to what is no HTTP request, differ."""

    # gunicorn makes the workers; its configuration sets this before.
    memory: MemoryGuard | None = None
    alive: bool

    def notify(self) -> None:
        """Say that this worker lives, at least once a second; one that outgrew its share finishes its requests."""
        super().notify()
        if self.alive and self.memory is not None and (held := self.memory.outgrown()):
            log.warning("outgrown", bytes=held, share=self.memory.share)
            self.alive = False

    def handle(self, conn: Any) -> Any:
        """Serve one request on a pool thread; False when the connection is at its end."""
        keep = super().handle(conn)
        if keep is False:
            # gunicorn would wait two seconds for the client to close first, on the one thread that accepts
            # connections: a few such clients would keep the health probe out.
            _drain(conn.sock)
            conn.close = functools.partial(_close, conn.sock)
        return keep

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer and log; the message of a parser's error may repeat a header, so only its kind is logged."""
        request_id = str(uuid7())
        is_malformed = isinstance(exc, http.ParseException) and not isinstance(
            exc, (http.ConfigurationProblem, http.InvalidResponseHeader, http.InvalidResponseHeaderName)
        )
        problem: Problem = BadRequest("This is not a well-formed HTTP request.") if is_malformed else Problem()
        problem.status = _STATUSES.get(type(exc), problem.status)
        if is_malformed:
            log.info("malformed", id=request_id, status=problem.status, error=type(exc).__name__, address=addr[0])
        else:
            log.error("request", id=request_id, route=None, status=problem.status, **describe(exc))
        try:
            util.write_nonblock(client, refusals.raw(problem, request_id, _SECURITY))
        except OSError:
            log.debug("unanswered", id=request_id)


def _drain(client: socket.socket) -> None:
    """Take what the client is still sending: closing on unread bytes would destroy our answer on its way."""
    deadline, room = time.monotonic() + DRAIN_SECONDS, DRAIN_BYTES
    try:
        client.shutdown(socket.SHUT_WR)
        client.setblocking(False)
        while room > 0 and time.monotonic() < deadline and (unread := client.recv(65536)):
            room -= len(unread)
            client.settimeout(DRAIN_PAUSE_SECONDS)
    except OSError:
        return  # Nothing more is under way, or the client is gone.


def _close(client: socket.socket, graceful: bool = False) -> None:
    util.close(client)
