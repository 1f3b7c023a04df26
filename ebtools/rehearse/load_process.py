"""The process that sends the load: an open loop on one thread, so that nothing the orchestrator does can disturb it.

Each request is sent when it is due, whether or not the server keeps up, and what it took counts from that moment. It is
told what to do by lines of JSON on its standard input, and writes what became of each request to its standard output,
a file. It ends when it is told to, or when the input ends because whoever started it has gone.

Nothing is ever sent again once a byte of it was written: real clients would retry some of that, and hide what is to
be seen. One case is none of the server's fault: an idle connection that it had closed before the next request was
written. Such a request goes to another connection, and is counted.
"""

import os
import resource
import select
import signal
import time
from collections import deque
from random import Random
from typing import Any

import orjson

from ebtools.rehearse.answer import Answer, NotHttp
from ebtools.rehearse.connections import Connection, Connections, Pending, Resolver, cause_of
from ebtools.rehearse.mix import Request
from ebtools.rehearse.plan import Plan

_INPUT = 0
_OUTPUT = 1
_PIECE = 262_144
# So that answers are read between arrivals even when more are due than this process can send.
_AT_ONCE = 64
_LONGEST_WAIT = 0.01
_RECONNECTS = 3


class Sender:
    """The loop: `run` returns when all is answered or given up after a stop, or when the input ends."""

    def __init__(self, plan: Plan, began: float, first: float, run_id: str) -> None:
        self.plan = plan
        self.began = began
        self.run_id = run_id
        self.mix = plan.mix()
        random = Random(plan.seed + 1)  # noqa: S311
        self.resolver = Resolver((plan.address, plan.port), plan.ttl, random)
        self.connections = Connections(
            self.resolver, plan.clients, plan.connection_seconds, plan.most_connections, random
        )
        self.rate = plan.rate
        self.due = first if plan.rate > 0 else float("inf")
        self.number = 0
        self.stops = False
        self.input = b""
        self.lines: list[bytes] = []
        # In the order of their deadlines, for giving up on the oldest.
        self.waiting: deque[tuple[Pending, Connection]] = deque()

    def run(self) -> None:
        os.set_blocking(_INPUT, False)
        self.connections.poller.register(_INPUT, select.EPOLLIN)
        try:
            while not self.stops or self.waiting:
                self._arrive()
                self._wait()
                self._give_up(time.monotonic() - self.plan.deadline)
                self._flush()
        finally:
            self.connections.close()
        self._flush()

    def _arrive(self) -> None:
        for _ in range(_AT_ONCE):
            now = time.monotonic()
            if self.due > now:
                return
            if self.number >= self.plan.most_requests:
                self._write("full", self.plan.most_requests)
                self._stop()
                return
            self.number += 1
            request = self.mix.next(f"{self.plan.name}-{self.run_id}-{self.number}")
            self._send(Pending(self.due, now - self.due, request, Answer(request.method)))
            self.due += 1 / self.rate

    def _send(self, pending: Pending) -> None:
        """Send on a connection that is alive; each that breaks before a byte was written was closed while idle."""
        write = pending.request.write
        if write is not None:
            self._write("sent", pending.request.request_id, write.kind, write.item, write.title, write.mark)
        for _ in range(_RECONNECTS):
            try:
                connection, closed = self.connections.take(time.monotonic())
            except OSError as error:
                self._finish(pending, cause_of(error), was_sent=False)
                return
            pending.reopened += closed
            try:
                self.connections.send(connection, pending)
            except OSError:
                self.connections.drop(connection)
                pending.reopened += 1
                continue
            self.waiting.append((pending, connection))
            return
        self._finish(pending, "connection reset", was_sent=False)

    def _wait(self) -> None:
        seconds = min(max(self.due - time.monotonic(), 0), _LONGEST_WAIT)
        for number, events in self.connections.poller.poll(seconds, 256):
            if number == _INPUT:
                self._obey()
            elif (connection := self.connections.open.get(number)) is not None:
                self._serve(connection, events)

    def _serve(self, connection: Connection, events: int) -> None:
        was_connecting = connection.is_connecting
        try:
            if connection.pending is not None and (was_connecting or events & select.EPOLLOUT):
                self.connections.write(connection)
            if events & ~select.EPOLLOUT and not connection.is_connecting:
                self._read(connection)
        except BlockingIOError:
            return
        except NotHttp:
            self._abandon(connection, "not an answer of HTTP")
        except OSError as error:
            self._broken(connection, cause_of(error), was_sent=not was_connecting)

    def _read(self, connection: Connection) -> None:
        pending = connection.pending
        piece = connection.socket.recv(_PIECE)
        if pending is None:
            # The server closed an idle connection, or said something before it does: nobody waits for it.
            self.connections.drop(connection)
            return
        if piece:
            pending.answer.feed(piece)
        elif not pending.answer.end():
            self._broken(connection, "connection closed")
            return
        if pending.answer.is_complete:
            self.connections.release(connection, time.monotonic())
            self._finish(pending)

    def _broken(self, connection: Connection, cause: str, *, was_sent: bool = True) -> None:
        if connection.pending is not None and connection.pending.answer.has_bytes:
            cause += " in the middle of the answer"
        elif was_sent:
            cause += " before an answer" + (", on a reused connection" if connection.is_reused else "")
        self._abandon(connection, cause, was_sent=was_sent)

    def _abandon(self, connection: Connection, cause: str, *, was_sent: bool = True) -> None:
        """Close the connection; the request that was under way on it, if any, has failed."""
        pending = connection.pending
        self.connections.drop(connection)
        if pending is not None:
            self._finish(pending, cause, was_sent=was_sent)

    def _give_up(self, before: float) -> None:
        """Close what has waited for its deadline; what was answered meanwhile only leaves the queue."""
        while self.waiting:
            pending, connection = self.waiting[0]
            is_open = connection.pending is pending
            if is_open and pending.due > before:
                return
            self.waiting.popleft()
            if is_open:
                wanted = "connection" if connection.is_connecting else "answer"
                partly = " complete" if pending.answer.has_bytes else ""
                cause = f"no{partly} {wanted} within {self.plan.deadline:g} s"
                self._abandon(connection, cause, was_sent=not connection.is_connecting)

    def _finish(self, pending: Pending, broken: str = "", *, was_sent: bool = True) -> None:
        request, answer = pending.request, pending.answer
        status = 0 if broken else answer.status
        outcome, cause = ("failed", broken) if broken else _outcome(answer)
        item = self.mix.finished(request, answer if outcome == "good" else None)
        # It stays in the queue for a while, and thousands of pages would fill the memory.
        answer.body.clear()
        self._write(
            "done",
            [
                round(pending.due - self.began, 6),
                round(time.monotonic() - pending.due, 6),
                request.method,
                request.path,
                status,
                outcome,
                request.request_id,
                cause,
            ],
            _effect(request, status, outcome, was_sent),
            item,
            pending.reopened,
            round(pending.lag, 6),
        )

    def _obey(self) -> None:
        """Follow what the orchestrator has written; its end is the order to leave everything at once."""
        piece = os.read(_INPUT, _PIECE)
        if not piece:
            self._stop()
            self.waiting.clear()
            self.connections.poller.unregister(_INPUT)
            return
        *lines, self.input = (self.input + piece).split(b"\n")
        for line in lines:
            self._follow(orjson.loads(line))

    def _follow(self, order: dict[str, Any]) -> None:
        now = time.monotonic()
        if "rate" in order and not self.stops:
            self.rate = float(order["rate"])
            following = now + 1 / self.rate if self.rate > 0 else float("inf")
            # What is due already stays due, and nothing waits for the rest of a long interval.
            self.due = min(self.due, following) if self.rate > 0 and self.due < float("inf") else following
        if "address" in order:
            self.resolver.change((str(order["address"]), int(order["port"])), now)
        if order.get("stop"):
            self._stop()

    def _stop(self) -> None:
        self.stops, self.due = True, float("inf")

    def _write(self, *line: Any) -> None:
        self.lines.append(orjson.dumps(line))

    def _flush(self) -> None:
        """Hand the results to the kernel: from then on they survive the end of this process."""
        if not self.lines:
            return
        rest = b"\n".join([*self.lines, b""])
        self.lines.clear()
        while rest:
            rest = rest[os.write(_OUTPUT, rest) :]


def _outcome(answer: Answer) -> tuple[str, str]:
    if 200 <= answer.status < 400:
        return "good", ""
    if answer.status == 503 and "retry-after" in answer.headers:
        return "refused", f"status 503, Retry-After {answer.headers['retry-after']}"
    return "failed", f"status {answer.status} {_code(answer)}".rstrip()


def _code(answer: Answer) -> str:
    """The code of a problem document, which says more than the status; empty for any other answer."""
    try:
        return str(orjson.loads(answer.body)["code"]) if "problem" in answer.headers.get("content-type", "") else ""
    except (ValueError, LookupError, TypeError):
        return ""


def _effect(request: Request, status: int, outcome: str, was_sent: bool) -> str:
    """What is known of a write: acknowledged, denied, none, or unknown; empty for a read."""
    if request.write is None:
        return ""
    if 200 <= status < 300:
        return "acknowledged"
    if outcome == "refused":
        return "denied"
    return "none" if not was_sent or 300 <= status < 500 else "unknown"


def main() -> None:
    """Read the plan from the first line of the input, say that it is ready, and begin when told to."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # Ctrl-C reaches every process of the terminal; the orchestrator ends this one when it is done with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Unbuffered, so that what follows the two lines is left for the loop.
    with open(_INPUT, "rb", buffering=0, closefd=False) as orders:
        plan = Plan.from_json(orjson.loads(orders.readline()))
        os.write(_OUTPUT, b'["ready"]\n')
        order = orjson.loads(orders.readline())
    Sender(plan, order["began"], order["first"], order["run"]).run()


if __name__ == "__main__":
    main()
