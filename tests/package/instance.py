"""An instance of the platform in a folder: the bundle where it lies there, and the processes that the platform runs."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ebtools.preflight import proxy
from tests.package.conftest import free_port, nginx

ROOT = Path(__file__).resolve().parents[2]
# gunicorn and the job runner finish what they have begun.
PATIENCE_SECONDS = 40
COMMIT = "0123456789abcdef0123456789abcdef01234567"
NEEDED = ("fastier", "migrations", ".platform", "application.py", "gunicorn.conf.py", "Procfile")


class Instance:
    """The bundle in a folder, with the platform's paths and nginx's port moved there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.venvs = folder / "var/app/venv"
        self.pids = folder / "var/pids"
        self.bundle = folder / "var/app/current"
        self.port = free_port()
        self.application_port = free_port()
        self.pids.mkdir(parents=True)
        for name in NEEDED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            (self.bundle / name).parent.mkdir(parents=True, exist_ok=True)
            copy(ROOT / name, self.bundle / name)
        for cache in self.bundle.rglob("__pycache__"):
            shutil.rmtree(cache)
        self.name_commit(COMMIT)
        self.edit("/var/", f"{folder}/var/")
        self.edit("127.0.0.1:80\n", f"127.0.0.1:{self.port}\n")

    def edit(self, old: str, new: str) -> None:
        """Change the text of every hook."""
        for hook in self.bundle.glob(".platform/*hooks/*/*"):
            hook.write_text(hook.read_text().replace(old, new))

    def name_commit(self, commit: str) -> None:
        (self.bundle / "fastier/build.json").write_text(json.dumps({"commit": commit, "version": "1.2.3"}) + "\n")

    def add_venv(self, name: str = "staging-LQM1lest", python: str = f'exec "{sys.executable}" "$@"') -> None:
        """A Python as the platform makes one; it is this test's own."""
        path = self.venvs / name / "bin" / "python"
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\n{python}\n")
        path.chmod(0o755)

    def run(self, hook: str, timeout: float = 120, **environ: str) -> "subprocess.CompletedProcess[str]":
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **environ}
        command = [str(self.bundle / ".platform" / hook)]
        return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, timeout=timeout)

    @contextmanager
    def serving(self, database_url: str) -> Iterator["subprocess.Popen[bytes]"]:
        """nginx, and what Procfile names, each started by a shell; yields the job runner."""
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DATABASE_URL": database_url,
            "FASTIER_SECRET_KEY": "of the tests of the hooks " * 2,
            "FASTIER_STORAGE_PATH": str(self.folder / "storage"),
            "FASTIER_MAIL_PATH": str(self.folder / "mail"),
            "PORT": str(self.application_port),
            "WEB_CONCURRENCY": "2",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        procfile = dict(line.split(": ", 1) for line in (self.bundle / "Procfile").read_text().splitlines())
        assembled = proxy.assemble(
            ROOT / ".platform/nginx", self.folder / "nginx", port=self.port, upstream_port=self.application_port
        )
        with ExitStack() as stack:
            for name, command in procfile.items():
                started = stack.enter_context(self._process(["/bin/sh", "-c", command], environment, name))
                (self.pids / f"{name}.pid").write_text(f"{started.pid}\n")
            proxying = [nginx(), "-p", str(assembled.parent), "-c", str(assembled), "-g", "daemon off;"]
            stack.enter_context(self._process(proxying, environment, "nginx"))
            yield started

    @contextmanager
    def _process(
        self, command: list[str], environment: dict[str, str], name: str
    ) -> Iterator["subprocess.Popen[bytes]"]:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=self.bundle, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            yield process
        finally:
            # All of them, as systemd does: the shell may be gone before what it started.
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(10)
            _wait_for_group(process.pid)

    def wait_for(self, text: str, name: str, seconds: float = 30) -> None:
        """Until the process of that name has written the text."""
        deadline = time.monotonic() + seconds
        while text not in (self.folder / f"{name}.log").read_text():
            assert time.monotonic() < deadline, (self.folder / f"{name}.log").read_text()
            time.sleep(0.02)


def _wait_for_group(group: int) -> None:
    """Until no process of the group is left; what does not end is killed."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.02)
        os.killpg(group, signal.SIGKILL)
