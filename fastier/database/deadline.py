"""Ends the wait for a server that has fallen silent; libpq waits for an answer without end as long as TCP lives."""

import contextlib
import os
import socket
import threading
import time
from typing import Any

import psycopg2
from psycopg2 import extensions

# Later than the server's own statement timeout of 5 s, so that a server that works answers for itself.
ANSWER_SECONDS = 5.3
TICK_SECONDS = 0.1
# Who has waited this long for a connection that broke is answered, and not asked to wait for another try.
PATIENCE_SECONDS = 1.0


class SilentServer(psycopg2.OperationalError):
    """The connection broke after so long a wait that trying again would exhaust the client."""


class _Watch:
    """Statements under way in this process; one thread breaks the connection of each that is overdue."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[int, tuple[float, extensions.connection]] = {}
        self._thread: threading.Thread | None = None

    def begin(self, ticket: int, connection: extensions.connection, now: float) -> None:
        with self._lock:
            self._under_way[ticket] = (now + ANSWER_SECONDS, connection)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="fastier-deadline", daemon=True)
                self._thread.start()

    def end(self, ticket: int) -> None:
        with self._lock:
            del self._under_way[ticket]

    def _run(self) -> None:
        while True:
            time.sleep(TICK_SECONDS)
            now = time.monotonic()
            # With the lock held no statement can end, so none of these descriptors can be anybody else's by now.
            with self._lock:
                for deadline, connection in self._under_way.values():
                    if deadline > now:
                        break
                    _break(connection)


def _break(connection: extensions.connection) -> None:
    """End both directions, which wakes the thread that waits; the descriptor stays libpq's own."""
    with contextlib.suppress(OSError, psycopg2.Error), socket.socket(fileno=os.dup(connection.fileno())) as shared:
        shared.shutdown(socket.SHUT_RDWR)


_watch = _Watch()


def _forget() -> None:
    """A child has none of its parent's threads, and a lock that one of them may have held."""
    global _watch
    _watch = _Watch()


os.register_at_fork(after_in_child=_forget)


class Cursor(extensions.cursor):
    """Executes each statement under the deadline; `executemany`, which nothing here uses, knows none."""

    def execute(self, query: Any, vars: Any = None) -> None:
        began = time.monotonic()
        watch = _watch
        watch.begin(id(self), self.connection, began)
        try:
            super().execute(query, vars)
        except psycopg2.OperationalError as error:
            seconds = time.monotonic() - began
            if self.connection.closed and seconds > PATIENCE_SECONDS:
                raise SilentServer(f"the database did not answer for {seconds:.1f} s: {error}") from error
            raise
        finally:
            watch.end(id(self))
