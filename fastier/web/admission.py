"""Lets in as many requests as can be served, lets a few wait, and refuses the rest at once, outside Flask.

gunicorn gives each request a thread of a fixed pool. Requests that wait for the database hold theirs, so
without a bound below the pool's size a stuck database would leave no thread for the health probe, and the
load balancer would replace healthy instances.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from fastier.errors import Unavailable
from fastier.web.refusals import answer
from fastier.web.request_log import RECORD, RequestRecord
from fastier.web.sizing import Sizing

# A browser's user gives up soon after, and a client that retries is better served by an honest 503.
PATIENCE_SECONDS = 2.0
# A burst is waited out; a queue that has not been empty for a second will not be by waiting. Then each wait only makes
# the answers older, up to where nobody waits for them any more, so that whoever comes is told sooner to come later.
STANDING_SECONDS = 1.0
SHORT_PATIENCE_SECONDS = 0.25
LIVE = "/health/live"
READY = "/health/ready"
TRANSFERS = "/storage/"
SIGN_INS = "/api/v1/auth/"
FILES, NEW_FILES = "/api/v1/attachments/", "/attachments"


class Lane:
    """So many at once, so many waiting in the order of their arrival; safe to use from many threads."""

    def __init__(self, permits: int, waiting: int) -> None:
        self.waiting = waiting
        self._free = permits
        self._queue: deque[threading.Event] = deque()
        self._lock = threading.Lock()
        self._empty_at = time.monotonic()

    @property
    def queued(self) -> int:
        return len(self._queue)

    def enter(self, patience: float) -> bool:
        """Take a permit, waiting at most `patience` seconds; False when there is none or no place to wait.

        Where the queue has been standing for a while, the wait is at most SHORT_PATIENCE_SECONDS.
        """
        with self._lock:
            now = time.monotonic()
            if not self._queue:
                self._empty_at = now
            elif now - self._empty_at > STANDING_SECONDS:
                patience = min(patience, SHORT_PATIENCE_SECONDS)
            # A free permit implies an empty queue: `leave` hands a permit to the first in the queue.
            if self._free > 0:
                self._free -= 1
                return True
            if len(self._queue) >= self.waiting or patience <= 0:
                return False
            turn = threading.Event()
            self._queue.append(turn)
        return turn.wait(patience) or not self._give_up(turn)

    def leave(self) -> None:
        """Hand the permit to whoever has waited longest."""
        with self._lock:
            if self._queue:
                self._queue.popleft().set()
            else:
                self._free += 1

    def _give_up(self, turn: threading.Event) -> bool:
        with self._lock:
            if turn.is_set():  # Granted between the end of the wait and this lock: the permit is ours.
                return False
            self._queue.remove(turn)
            return True


class Admission:
    """The lanes of one worker; made before the fork, each worker has its own copy."""

    def __init__(self, sizing: Sizing, *, patience: float = PATIENCE_SECONDS) -> None:
        self.patience = patience
        self.requests = Lane(sizing.permits, sizing.waiting)
        self.sign_ins = Lane(sizing.sign_ins, sizing.sign_ins_waiting)
        self.files = Lane(sizing.files, sizing.files_waiting)
        # A file may take minutes to go through; as many again may wait for their turn.
        self.transfers = Lane(sizing.transfers, sizing.transfers) if sizing.transfers else None

    def lane(self, method: str, path: str) -> Lane:
        """What is slow by nature has a lane of its own, so that it holds up nothing else."""
        if path.startswith(SIGN_INS):
            return self.sign_ins
        if path.startswith(FILES) or (method == "POST" and path.endswith(NEW_FILES)):
            return self.files
        return self.transfers if self.transfers and path.startswith(TRANSFERS) else self.requests


class Gate:
    """WSGI middleware: answers probes itself, and lets the rest through as admission allows."""

    def __init__(self, app: WSGIApplication, admission: Admission, is_ready: Callable[[], bool]) -> None:
        self.app = app
        self.admission = admission
        self.is_ready = is_ready

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        record: RequestRecord = environ[RECORD]
        path = environ.get("PATH_INFO", "")
        if environ["REQUEST_METHOD"] in ("GET", "HEAD") and (status := self._probe(path)):
            record.route = path
            return _healthy(status, record, start_response)
        lane = self.admission.lane(environ["REQUEST_METHOD"], path)
        if not self._enter(lane, record):
            return answer(_refusal(), record, start_response)
        try:
            return _Admitted(self.app(environ, start_response), lane)
        except BaseException:
            lane.leave()
            raise

    def _probe(self, path: str) -> str | None:
        if path == LIVE:
            return "live"
        return "ready" if path == READY and self.is_ready() else None

    def _enter(self, lane: Lane, record: RequestRecord) -> bool:
        # Whoever waited elsewhere for so long that its client has given up is not served, even with a free
        # permit: under overload every such answer would be work for nobody.
        patience = self.admission.patience - (record.queue_seconds or 0.0)
        if patience <= 0:
            return False
        began = time.perf_counter()
        is_in = lane.enter(patience)
        record.wait_seconds = time.perf_counter() - began
        return is_in


class _Admitted:
    """A response that holds a permit until it is closed, however it ends."""

    def __init__(self, body: Iterable[bytes], lane: Lane) -> None:
        self.body = body
        self.lane: Lane | None = lane

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.body)

    def close(self) -> None:
        lane, self.lane = self.lane, None
        if lane is None:
            return
        try:
            if (close := getattr(self.body, "close", None)) is not None:
                close()
        finally:
            lane.leave()


def _healthy(status: str, record: RequestRecord, start_response: StartResponse) -> Iterable[bytes]:
    body = b'{"status":"%s"}' % status.encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [] if record.method == "HEAD" else [body]


def _refusal() -> Unavailable:
    return Unavailable("Too many requests are under way; try again in a moment.", code="overloaded", retry_after=1)
