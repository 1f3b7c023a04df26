"""Small web servers that a load balancer can send requests to; as a program, one in a process of its own."""

import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer
from types import TracebackType
from typing import Self


class Target(ThreadingHTTPServer):
    """Answers "/" with its name, "/sleep/2" 2 s later, "/status/500" with 500, "/drop" and "/half" not to the end."""

    daemon_threads = True
    # With the default of five, the kernel drops connections of a burst.
    request_queue_size = 256
    # A killed balancer's connections need no goodbye.
    block_on_close = False

    def __init__(self, name: str, address: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((address, port), Handler)
        self.name = name
        self.health_status = 200
        self.checks: Counter[int] = Counter()
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.connections: set[tuple[str, int]] = set()
        self.ending = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.server_address[:2]
        return str(host), int(port)

    def stop(self) -> None:
        self.ending.set()
        self.shutdown()
        self.server_close()
        self._thread.join(5)

    def handle_error(self, request: object, client_address: object) -> None:
        """The balancer resets the connections of its checks."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self.stop()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are two packets, and the second must not wait for the first to be acknowledged.
    disable_nagle_algorithm = True
    server: BaseServer

    def do_GET(self) -> None:
        assert isinstance(self.server, Target)
        if self.path == "/health":
            self.server.checks[self.server.health_status] += 1
            self.answer(self.server.health_status)
            return
        self.server.paths.append(self.path)
        self.server.headers.append(dict(self.headers))
        self.server.connections.add(self.client_address)
        self.act(*self.path.strip("/").split("/"))

    def act(self, word: str, value: str = "0") -> None:
        assert isinstance(self.server, Target)
        if word in ("drop", "half"):
            if word == "half":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            self.close_connection = True
            return
        if word == "sleep":
            self.server.ending.wait(float(value))
        self.answer(int(value) if word == "status" else 200)

    def answer(self, status: int) -> None:
        assert isinstance(self.server, Target)
        body = self.server.name.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """A test reads what came from the lists above."""


if __name__ == "__main__":
    target = Target(sys.argv[1])
    print(target.address[1], flush=True)
    threading.Event().wait(60)
