"""Offers requests at a constant rate, whether or not the server keeps up: an open loop on one thread."""

import select
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

# What a person waits for; an answer after this is worth nothing, and the client has gone.
DEADLINE_SECONDS = 1.0
MOST_CONNECTIONS = 8000

Request = Callable[[int], bytes]


@dataclass
class Outcome:
    """What became of the requests that were due: seconds from the moment each was due, whoever was late."""

    rate: float
    seconds: float
    good: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    # Statuses of answers that are neither success nor an orderly 503 with Retry-After, and connections that broke.
    failed: dict[str, int] = field(default_factory=dict)
    late: int = 0
    offered: int = 0
    # When each request was due that had no good answer, in seconds from the start.
    bad_due: list[float] = field(default_factory=list)

    @property
    def goodput(self) -> float:
        """Good answers in a second."""
        return len(self.good) / self.seconds

    def fail(self, kind: str, due: float) -> None:
        self.failed[kind] = self.failed.get(kind, 0) + 1
        self.bad_due.append(due)


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    due: float
    answer: bytes = b""
    is_busy: bool = True
    is_reused: bool = False
    request: bytes = b""


class Arrivals:
    """One run of so many requests a second for so many seconds against 127.0.0.1."""

    def __init__(self, port: int, request: Request, rate: float, seconds: float) -> None:
        self.address = ("127.0.0.1", port)
        self.request = request
        self.outcome = Outcome(rate, seconds)
        self.poller = select.epoll()
        self.connections: dict[int, _Connection] = {}
        self.idle: list[_Connection] = []
        # In the order of their deadlines, for giving up on the oldest.
        self.waiting: deque[tuple[float, _Connection]] = deque()

    def run(self) -> Outcome:
        began = time.perf_counter()
        end = began + self.outcome.seconds
        step = 1 / self.outcome.rate
        due = began
        try:
            while (now := time.perf_counter()) < end + DEADLINE_SECONDS:
                while due <= now and due < end:
                    self._arrive(due)
                    due += step
                if due >= end and not any(map(_is_open, self.waiting)):
                    break
                self._wait(min(max(due - time.perf_counter(), 0), 0.01))
                self._give_up(time.perf_counter() - DEADLINE_SECONDS)
        finally:
            for connection in self.connections.values():
                connection.socket.close()
            self.poller.close()
        self._give_up(time.perf_counter() + DEADLINE_SECONDS)
        self.outcome.bad_due = [moment - began for moment in self.outcome.bad_due]
        return self.outcome

    def _arrive(self, due: float) -> None:
        self.outcome.offered += 1
        self._send(self.request(self.outcome.offered), due, self.idle.pop() if self.idle else None)

    def _send(self, request: bytes, due: float, idle: _Connection | None) -> None:
        if idle is None and (idle := self._open(due)) is None:
            return
        connection = idle
        connection.due, connection.answer, connection.is_busy, connection.request = due, b"", True, request
        self.waiting.append((due, connection))
        try:
            connection.socket.send(request)
        except OSError:
            self._broken(connection)

    def _open(self, due: float) -> _Connection | None:
        if len(self.connections) >= MOST_CONNECTIONS:
            self.outcome.fail("no connection left", due)
            return None
        opened = socket.socket()
        try:
            # On the loopback this returns at once: the kernel completes the handshake, or the backlog is full.
            opened.settimeout(0.05)
            opened.connect(self.address)
        except OSError as error:
            opened.close()
            self.outcome.fail(f"connect {type(error).__name__}", due)
            return None
        opened.setblocking(False)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(opened, due)
        self.connections[opened.fileno()] = connection
        self.poller.register(opened.fileno(), select.EPOLLIN)
        return connection

    def _wait(self, seconds: float) -> None:
        for number, _event in self.poller.poll(seconds, 256):
            connection = self.connections.get(number)
            if connection is not None:
                self._read(connection)

    def _read(self, connection: _Connection) -> None:
        try:
            chunk = connection.socket.recv(262144)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._broken(connection)
            return
        connection.answer += chunk
        head, separator, body = connection.answer.partition(b"\r\n\r\n")
        if separator and len(body) >= _length(head):
            self._answered(connection, head)

    def _answered(self, connection: _Connection, head: bytes) -> None:
        took = time.perf_counter() - connection.due
        status = head[9:12]
        if status[:1] == b"2":
            self.outcome.good.append(took)
        elif status == b"503" and b"\r\nretry-after:" in head.lower():
            self.outcome.refused.append(took)
            self.outcome.bad_due.append(connection.due)
        else:
            self.outcome.fail(status.decode("latin-1"), connection.due)
        connection.is_busy = False
        connection.is_reused = True
        if b"\r\nconnection: close" in head.lower():
            self._drop(connection)
        else:
            self.idle.append(connection)

    def _broken(self, connection: _Connection) -> None:
        """An idle connection may be closed by the server at any time; a request that meets this is sent once more."""
        was_busy, was_reused, due = connection.is_busy, connection.is_reused, connection.due
        had_answer, request = bool(connection.answer), connection.request
        connection.is_busy = False
        self._drop(connection)
        if not was_busy:
            return
        if was_reused and not had_answer:
            self._send(request, due, None)
        else:
            self.outcome.fail("broken off", due)

    def _drop(self, connection: _Connection) -> None:
        self.connections.pop(connection.socket.fileno(), None)
        connection.socket.close()
        if connection in self.idle:
            self.idle.remove(connection)

    def _give_up(self, before: float) -> None:
        while self.waiting and (not _is_open(self.waiting[0]) or self.waiting[0][0] < before):
            is_open, connection = _is_open(self.waiting[0]), self.waiting.popleft()[1]
            if is_open:
                self.outcome.late += 1
                self.outcome.bad_due.append(connection.due)
                connection.is_busy = False
                self._drop(connection)


def _is_open(entry: tuple[float, _Connection]) -> bool:
    """Whether the request that was due then is still unanswered; its connection may carry a later one by now."""
    due, connection = entry
    return connection.is_busy and connection.due == due


def _length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.find(b"\r\ncontent-length:")
    if start < 0:
        return 0
    return int(lowered[start + 17 :].split(b"\r\n", 1)[0])


def share(values: list[float], part: float) -> float:
    """The value below which such a part of them lies, such as 0.99; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0
