"""Keeps connections alive as browsers and client libraries do: many clients, each with its own, each for a while."""

import contextlib
import errno
import os
import select
import socket
from dataclasses import dataclass, field
from random import Random

from ebtools.rehearse.answer import Answer
from ebtools.rehearse.mix import Request

Address = tuple[str, int]
_CAUSES = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection reset",
    errno.ETIMEDOUT: "connection timed out",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "no route to the host",
    errno.EADDRNOTAVAIL: "no port left for a connection",
    errno.EMFILE: "no file left for a connection",
}


@dataclass(slots=True)
class Pending:
    """One request under way; `due` is a moment of the monotonic clock, `lag` how much later it was sent, in seconds."""

    due: float
    lag: float
    request: Request
    answer: Answer
    reopened: int = 0


@dataclass(slots=True, eq=False)
class Connection:
    """One connection of one client; `pending` is None while it is idle."""

    socket: socket.socket
    client: int
    expires: float
    pending: Pending | None = None
    unsent: bytes = b""
    watched: int = select.EPOLLIN | select.EPOLLOUT
    is_connecting: bool = True
    is_reused: bool = False


class Resolver:
    """What the clients' name resolves to: after a change each still has the old address for up to `ttl` seconds.

    Clients looked it up at different moments, so that the share of new connections to the new address grows evenly.
    """

    def __init__(self, address: Address, ttl: float, random: Random) -> None:
        self.ttl = ttl
        self.random = random
        self.old = self.new = address
        self.since = 0.0

    def change(self, address: Address, now: float) -> None:
        self.old, self.new, self.since = self.new, address, now

    def resolve(self, now: float) -> Address:
        age = now - self.since
        return self.new if age >= self.ttl or self.random.random() * self.ttl < age else self.old


@dataclass
class Connections:
    """All connections, with the poller that watches them; `close` ends them all."""

    resolver: Resolver
    clients: int
    longest: float
    most: int
    random: Random
    poller: select.epoll = field(default_factory=select.epoll)
    open: dict[int, Connection] = field(default_factory=dict)
    idle: dict[int, list[Connection]] = field(default_factory=dict)

    def take(self, now: float) -> tuple[Connection, int]:
        """A connection of a random client, and how many idle ones turned out to have been closed; OSError for none."""
        client = self.random.randrange(self.clients)
        idle = self.idle.get(client, [])
        closed = 0
        while idle:
            connection = idle.pop()
            if connection.expires > now and _is_alive(connection.socket):
                return connection, closed
            closed += connection.expires > now
            self.drop(connection)
        return self._connect(client, now), closed

    def _connect(self, client: int, now: float) -> Connection:
        if len(self.open) >= self.most:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        opened = socket.socket()
        try:
            opened.setblocking(False)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(BlockingIOError):
                opened.connect(self.resolver.resolve(now))
        except OSError:
            opened.close()
            raise
        # Not all at one moment: those that were opened together end one by one.
        connection = Connection(opened, client, now + self.longest * self.random.uniform(0.5, 1))
        self.open[opened.fileno()] = connection
        self.poller.register(opened.fileno(), connection.watched)
        return connection

    def send(self, connection: Connection, pending: Pending) -> None:
        """Give the request to the connection; OSError when it broke before anything was written."""
        connection.pending = pending
        connection.unsent = pending.request.message
        if not connection.is_connecting:
            self.write(connection)

    def write(self, connection: Connection) -> None:
        """Write what fits; OSError when the connection is broken."""
        fault = connection.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if fault:
            raise OSError(fault, os.strerror(fault))
        connection.is_connecting = False
        with contextlib.suppress(BlockingIOError):
            connection.unsent = connection.unsent[connection.socket.send(connection.unsent) :]
        watched = select.EPOLLIN | (select.EPOLLOUT if connection.unsent else 0)
        if watched != connection.watched:
            connection.watched = watched
            self.poller.modify(connection.socket.fileno(), watched)

    def release(self, connection: Connection, now: float) -> None:
        """The answer is complete: keep the connection for the client's next request, unless it has had its time."""
        closes = connection.pending is not None and connection.pending.answer.closes
        connection.pending, connection.is_reused = None, True
        if closes or connection.unsent or connection.expires <= now:
            self.drop(connection)
        else:
            self.idle.setdefault(connection.client, []).append(connection)

    def drop(self, connection: Connection) -> None:
        self.open.pop(connection.socket.fileno(), None)
        connection.pending = None
        connection.socket.close()
        idle = self.idle.get(connection.client, [])
        if connection in idle:
            idle.remove(connection)

    def close(self) -> None:
        for connection in list(self.open.values()):
            connection.socket.close()
        self.poller.close()


def _is_alive(connection: socket.socket) -> bool:
    """Whether nothing has come on an idle connection: neither its end, nor bytes that nobody asked for."""
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def cause_of(error: OSError) -> str:
    """The error in the words of the report."""
    return _CAUSES.get(error.errno or 0, "connection broken")
