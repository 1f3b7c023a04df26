"""Fixtures of the local stack: a small project of its own for each test, and the processes started in it."""

import http.client
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ebtools.local import binaries
from ebtools.local.account import server_account
from ebtools.local.postgres import Cluster, free_port, new_password
from tests.postgres import server_folder

PROJECT = Path(__file__).parents[2]
# What stands for the application: it notes that it migrated, serves, and works on its jobs.
_COMMANDS = """
import os, pathlib, signal, sys, time
if sys.argv[1:] == ["database", "upgrade"]:
    if os.environ["DATABASE_URL"].endswith("/refused"):
        sys.exit("The database refused.")
    pathlib.Path(".local/migrated").open("a").write(os.environ["DATABASE_URL"] + "\\n")
else:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        time.sleep(1)
"""
_APPLICATION = """
import os, pathlib
def application(environ, start_response):
    if environ["PATH_INFO"] == "/environ":
        body = "\\n".join(sorted(f"{name}={value}" for name, value in os.environ.items()))
    else:
        body = "ready"
    start_response("200 OK", [("Content-Length", str(len(body.encode())))])
    return [body.encode()]
"""
_GUNICORN = "import os\nbind = '127.0.0.1:' + os.environ['PORT']\ncontrol_socket_disable = True\n"


@dataclass
class Stack:
    """One `python -m ebtools local`, and what it has said so far."""

    process: subprocess.Popen[bytes]
    tree: Path
    port: int
    output: Path

    def said(self) -> str:
        return self.output.read_text()

    def get(self, path: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def until_ready(self) -> "Stack":
        until(lambda: "Fastier is ready" in self.said() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()
        return self

    def ended(self) -> int:
        return self.process.wait(30)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.ended()


@dataclass
class Project:
    """A folder with our tools and a small application, in which stacks are started."""

    tree: Path
    python: str = sys.executable
    account: dict[str, Any] = field(default_factory=dict)
    stacks: list[Stack] = field(default_factory=list)

    def start(self, *, command: tuple[str, ...] = (), port: int | None = None, **environ: str) -> Stack:
        port = port or free_port()
        output = self.tree / f"output-{len(self.stacks)}"
        given = {"PATH": os.environ["PATH"], "PORT": str(port), **environ}
        with output.open("wb") as written:
            process = subprocess.Popen(
                command or (self.python, "-m", "ebtools", "local"),
                cwd=self.tree,
                env=given,
                stdout=written,
                stderr=subprocess.STDOUT,
                **self.account,
            )
        self.stacks.append(Stack(process, self.tree, port, output))
        return self.stacks[-1]

    def processes(self) -> list[int]:
        """Everything that runs in this project, or on its data."""
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and self._is_ours(entry)]

    def _is_ours(self, process: Path) -> bool:
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace")
            return str(self.tree) in words or (process / "cwd").readlink().is_relative_to(self.tree)
        except OSError:
            return False


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} seconds in vain"
        time.sleep(0.01)


@pytest.fixture
def project() -> Iterator[Project]:
    """A small project; whatever still runs in it at the end is killed."""
    with server_folder() as folder:
        tree = folder / "project"
        shutil.copytree(PROJECT / "ebtools", tree / "ebtools", ignore=shutil.ignore_patterns("__pycache__"))
        (tree / "fastier").mkdir()
        (tree / "fastier" / "__init__.py").touch()
        (tree / "fastier" / "__main__.py").write_text(_COMMANDS)
        for name in ("settings.py", "errors.py"):
            shutil.copy(PROJECT / "fastier" / name, tree / "fastier")
        (tree / "application.py").write_text(_APPLICATION)
        (tree / "gunicorn.conf.py").write_text(_GUNICORN)
        made = Project(tree)
        yield made
        for stack in made.stacks:
            stack.process.kill()
            stack.process.wait(10)
        until(lambda: not made.processes(), 30)


@pytest.fixture(scope="session")
def made_data() -> Iterator[Path]:
    """A `.local` with a database cluster, made once."""
    with server_folder() as home:
        account = server_account(home)
        password = new_password()
        programs = binaries.reachable(binaries.find(), account, home)
        Cluster(programs, home / "postgres", password=password, account=account).create()
        (home / "postgres-password").write_text(password)
        yield home


@pytest.fixture
def furnished(project: Project, made_data: Path) -> Project:
    """A project that has a database cluster already, which saves a second each time."""
    subprocess.run(["cp", "-a", made_data, project.tree / ".local"], check=True, timeout=60)
    return project
