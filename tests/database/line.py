"""A line to PostgreSQL that can be cut in the ways that networks have: refused, silent, or restored."""

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Line:
    """Forwards connections on a port of its own to the server while it is up."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self._flows = threading.Event()
        self._flows.set()
        self._over = threading.Event()
        self._listener: socket.socket | None = None
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.port = 0
        self.restore()

    def restore(self) -> None:
        """Take connections, and forward again what waits."""
        self._flows.set()
        if self._listener is None:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", self.port))
            listener.listen(64)
            self.port = int(listener.getsockname()[1])
            self._listener = listener
            self._start(self._accept, listener)

    def refuse(self) -> None:
        """Break every connection and refuse new ones, as a host whose server does not run."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # Closing alone would not wake the thread that accepts.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self._break_all()

    def fall_silent(self) -> None:
        """Take connections and bytes, and pass nothing on in either direction."""
        self._flows.clear()

    def close(self) -> None:
        self._over.set()
        self._flows.set()
        self.refuse()
        for thread in self._threads:
            thread.join(10)

    def _start(self, act: object, *arguments: object) -> None:
        thread = threading.Thread(target=act, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self._sockets.append(client)
            self._start(self._forward, client)

    def _forward(self, client: socket.socket) -> None:
        self._flows.wait()
        try:
            server = socket.create_connection(self.target, 5)
        except OSError:
            client.close()
            return
        self._sockets.append(server)
        with client, server, contextlib.suppress(OSError, ValueError):
            self._pass_on({client: server, server: client})

    def _pass_on(self, peers: dict[socket.socket, socket.socket]) -> None:
        while not self._over.is_set():
            readable, _, _ = select.select(list(peers), [], [], 0.05)
            for end in readable:
                # What has arrived waits here while the line is silent.
                self._flows.wait()
                if not (chunk := end.recv(65536)):
                    return
                peers[end].sendall(chunk)

    def _break_all(self) -> None:
        for open_socket in self._sockets:
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
        self._sockets.clear()


@contextmanager
def line_to(host: str, port: int) -> Iterator[Line]:
    line = Line((host, port))
    try:
        yield line
    finally:
        line.close()
