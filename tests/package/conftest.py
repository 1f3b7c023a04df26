"""What the tests of the package share: a repository to bundle, and our proxy on a real nginx with an upstream."""

import http.client
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ebtools.preflight import proxy
from tests.package.repository import Repository

ROOT = Path(__file__).resolve().parents[2]
OWN = ROOT / ".platform" / "nginx"
# What no configuration of ours refuses, so that each of nginx's own refusals can be asked for.
PATIENCE_SECONDS = 3
PLANTED = "".join(f"location = /planted/{status} {{ return {status}; }}\n" for status in (429, 503))


def nginx() -> str:
    """The nginx on PATH; a machine without one fails the test, as the package would go untested."""
    found = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin") or shutil.which("nginx")
    if found is None:
        pytest.fail("nginx is missing; install it, for example: apt-get install nginx-light")
    return found


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.body)
        return found


@dataclass
class Proxy:
    """A running nginx; `connections` counts those that the upstream has accepted."""

    port: int
    upstream: ThreadingHTTPServer
    connections: list[object] = field(default_factory=list)
    hung: list[object] = field(default_factory=list)

    @property
    def held(self) -> int:
        """Requests on /hang that have arrived."""
        return len(self.hung)

    def ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body or None, headers or {})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def kill_upstream(self) -> None:
        self.upstream.shutdown()
        self.upstream.server_close()


class _Upstream(ThreadingHTTPServer):
    # All that nginx opens at once.
    request_queue_size = 256


class _Echo(BaseHTTPRequestHandler):
    """Answers with the request's headers; on /hang not before the test is over."""

    protocol_version = "HTTP/1.1"
    # Set by the fixture.
    over: threading.Event
    seen: list[object]
    hung: list[object]

    def setup(self) -> None:
        super().setup()
        self.seen.append(self.client_address)

    def do_GET(self) -> None:
        if self.path == "/hang":
            self.hung.append(self.client_address)
            self.over.wait(20)
            self.close_connection = True
            return
        status = int(self.path.removeprefix("/status/")) if self.path.startswith("/status/") else 200
        if self.path == "/long":
            status, headers = 200, {"filler": "x" * 20_000}
        else:
            headers = dict(self.headers.items())
        body = json.dumps({name.lower(): value for name, value in headers.items()}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def assembled(tmp_path: Path) -> Callable[..., Path]:
    """Assembles our configuration; `edit` changes the text of each of its files first."""

    def assemble(port: int = 8080, upstream_port: int = 8000, edit: Callable[[str], str] = str) -> Path:
        own = tmp_path / "own"
        shutil.copytree(OWN, own)
        (own / "conf.d" / "elasticbeanstalk" / "planted.conf").write_text(PLANTED)
        for path in own.rglob("*.conf"):
            path.write_text(edit(path.read_text()))
        return proxy.assemble(own, tmp_path / "nginx", port=port, upstream_port=upstream_port)

    return assemble


@pytest.fixture
def started(assembled: Callable[..., Path]) -> Iterator[Proxy]:
    """nginx and the upstream, running; nginx waits three seconds for an answer instead of thirty."""
    over, seen, hung = threading.Event(), list[object](), list[object]()
    handler = type("Echo", (_Echo,), {"over": over, "seen": seen, "hung": hung})
    upstream = _Upstream(("127.0.0.1", 0), handler)
    upstream.daemon_threads = True
    thread = threading.Thread(target=upstream.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    port = free_port()

    def edit(text: str) -> str:
        # The load balancer's address is the test's own, and nobody waits half a minute for a hung upstream.
        text = text.replace("set_real_ip_from  10.0.0.0/8", "set_real_ip_from 127.0.0.0/8")
        return text.replace("proxy_read_timeout    30s", f"proxy_read_timeout {PATIENCE_SECONDS}s")

    conf = assembled(port, upstream.server_port, edit)
    process = subprocess.Popen([nginx(), "-p", conf.parent, "-c", conf, "-g", "daemon off;"])
    try:
        _wait_for(port, process)
        yield Proxy(port, upstream, seen, hung)
    finally:
        over.set()
        process.terminate()
        process.wait(10)
        upstream.shutdown()
        upstream.server_close()
        thread.join(10)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 20
    while True:
        assert process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    folder = tmp_path / "repository"
    folder.mkdir()
    made = Repository(folder)
    for path in ("application.py", "gunicorn.conf.py", "fastier/__init__.py", "migrations/env.py"):
        made.put(path, '"""Nothing yet."""\n')
    made.put(".ebextensions/01-a.config", "option_settings: {}\n")
    made.put(".platform/hooks/predeploy/10_a.sh", "#!/usr/bin/env bash\n")
    (folder / ".platform/hooks/predeploy/10_a.sh").chmod(0o755)
    made.put("Procfile", "web: gunicorn application:application\n")
    made.put("requirements.txt", "flask==3.1.0\n")
    made.put("pyproject.toml", '[project]\nname = "fastier"\nversion = "1.2.3"\n')
    made.put("tests/test_a.py", "")
    made.put("README.md", "")
    made.commit()
    return made
