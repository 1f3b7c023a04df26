"""A small real server that plays what a test wants, and the load that is sent to it."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ebtools.rehearse.load import Load
from ebtools.rehearse.people import People
from ebtools.rehearse.plan import Plan
from ebtools.rehearse.record import Exchange

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
PEOPLE = People(token="fst_secret", workspace="w", lists=["l"], items={"i": "title"})
Play = Callable[[socket.socket, int], None]


def answer_good(connection: socket.socket, number: int) -> None:
    connection.sendall(GOOD)


class Server:
    """A real server on a thread; for each request it plays what it was given, with the number of the request."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = int(self.listener.getsockname()[1])
        self.heads: list[bytes] = []
        self.open: list[socket.socket] = []
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.open.append(connection)
                self.threads.append(threading.Thread(target=self.serve, args=(connection,)))
                self.threads[-1].start()

    def serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            while head := read_head(connection):
                self.heads.append(head)
                self.play(connection, len(self.heads))

    def break_connections(self) -> None:
        for connection in self.open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.break_connections()
        for thread in self.threads:
            thread.join(10)
        assert not any(thread.is_alive() for thread in self.threads)


def read_head(connection: socket.socket) -> bytes:
    """One request: its head, after its body has been read too; empty at the end."""
    message = b""
    while not is_whole(message):
        piece = connection.recv(65536)
        if not piece:
            return b""
        message += piece
    return message.partition(b"\r\n\r\n")[0] + b"\r\n"


def is_whole(message: bytes) -> bool:
    head, separator, body = message.partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return bool(separator) and len(body) >= int(length or 0)


@contextmanager
def serving(play: Play = answer_good) -> Iterator[Server]:
    with closing(Server(play)) as server:
        yield server


def plan(port: int, rate: float = 100, **more: object) -> Plan:
    return Plan(address="127.0.0.1", port=port, rate=rate, paths=["/a", "/b"], **more)  # type: ignore[arg-type]


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} seconds in vain"
        time.sleep(0.01)


def run(of: Plan, folder: Path, requests: int) -> tuple[Load, list[Exchange]]:
    """Send until so many are done, and stop."""
    with Load(of, folder) as load:
        load.start()
        until(lambda: load.collect() >= requests)
        exchanges, _ = load.stop()
    return load, exchanges


HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def end(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_WR)
