"""Starts real gunicorn processes on the real configuration, and leaves none behind."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

ROOT = Path(__file__).parents[2]


@dataclass
class Answer:
    """A response, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    seconds: float


@dataclass
class Server:
    """One running gunicorn, and the folder through which a test holds and releases its requests."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    clients: list[socket.socket] = field(default_factory=list)

    def get(self, path: str, headers: dict[str, str] | None = None, timeout: float = 10) -> Answer:
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("GET", path, headers=headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read(), time.monotonic() - began)
        finally:
            connection.close()

    def send(self, path: str) -> socket.socket:
        """Send a request and leave its answer for later."""
        return self.send_raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())

    def send_raw(self, message: bytes) -> socket.socket:
        client = socket.socket()
        self.clients.append(client)
        client.settimeout(10)
        # A small buffer, so that sending more needs a server that takes it.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        client.connect(("127.0.0.1", self.port))
        client.sendall(message)
        return client

    def hold(self, name: str, path: str = "/hold/") -> socket.socket:
        """A request that is under way when this returns."""
        client = self.send(path + name)
        self.until((self.folder / f"{name}.held").exists)
        return client

    def holder(self, name: str) -> int:
        """The process that runs the held request."""
        self.until(lambda: (self.folder / f"{name}.held").read_text() != "")
        return int((self.folder / f"{name}.held").read_text())

    @staticmethod
    def until(condition: Callable[[], bool], seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited {seconds:g} seconds in vain"
            time.sleep(0.005)

    @staticmethod
    def rest_of(client: socket.socket) -> bytes:
        """What the server still sends on this connection, until it closes or breaks it."""
        chunks = []
        with client, contextlib.suppress(ConnectionError):
            while chunk := client.recv(65536):
                chunks.append(chunk)
        return b"".join(chunks)

    def release(self) -> None:
        (self.folder / "release").touch()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(40)

    def lines(self) -> list[dict[str, Any]]:
        """Every line that the server has written; fails when one is no JSON object."""
        return [json.loads(line) for line in self.output().splitlines()]

    def output(self) -> str:
        return "".join((self.folder / name).read_text() for name in ("stdout", "stderr"))


class Serve(Protocol):
    def __call__(self, **environ: str) -> Server: ...


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_live(server: Server) -> bool:
    assert server.process.poll() is None, server.output()
    try:
        return server.get("/health/live").status == 200
    except OSError:
        return False


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts gunicorn as an instance does, without any flag, on a small application."""
    running: list[Server] = []

    def start(**environ: str) -> Server:
        folder = tmp_path / str(len(running))
        folder.mkdir()
        port = free_port()
        settings = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]),
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
            "PORT": str(port),
            "HELD_FOLDER": str(folder),
            "WEB_CONCURRENCY": "1",
            **environ,
        }
        with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
            command = [sys.executable, "-m", "gunicorn", "held_application:application"]
            process = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=stdout, stderr=stderr)
        running.append(Server(process, port, folder))
        running[-1].until(lambda: is_live(running[-1]))
        return running[-1]

    yield start
    for server in running:
        for client in server.clients:
            client.close()
        server.release()
        server.process.terminate()
        try:
            server.process.wait(10)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.process.wait()
