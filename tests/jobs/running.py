"""Runs job runners for the tests: as a thread of this process, or as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import text

from fastier.database import Database
from fastier.jobs import Runner

ROOT = Path(__file__).parents[2]


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} seconds in vain"
        time.sleep(0.01)


def rows(database: Database) -> list[dict[str, Any]]:
    """The queue, the oldest first."""
    with database.reading() as connection:
        return [dict(row) for row in connection.execute(text("SELECT * FROM jobs ORDER BY id")).mappings()]


@contextmanager
def running(*runners: Runner) -> Iterator[None]:
    """Let the runners work while the block runs; all must have stopped after it."""
    threads = [threading.Thread(target=runner.run) for runner in runners]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for runner in runners:
            runner.stop()
        for thread in threads:
            thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


class Start(Protocol):
    def __call__(self, *, lease: float = 60, stop: float = 25) -> "Process": ...


@dataclass
class Process:
    """A runner in a process of its own; the files of its folder say what its handler did."""

    process: subprocess.Popen[bytes]
    folder: Path
    log: Path

    @classmethod
    def started(cls, url: str, folder: Path, *, lease: float, stop: float) -> "Process":
        log = folder / f"{time.monotonic_ns()}.log"
        script = Path(__file__).with_name("runner_process.py")
        command = [sys.executable, str(script), url, str(folder), str(lease), str(stop)]
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        with log.open("wb") as output:
            process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=output, stderr=subprocess.STDOUT)
        started = cls(process, folder, log)
        until(lambda: started.events("jobs_started") or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        return started

    def marks(self, name: str) -> list[str]:
        """One line, with the process that wrote it, for each time that this came about."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def release(self) -> None:
        (self.folder / "release").touch()

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines that it has logged about this; a line that is still being written is left for the next look."""
        complete = self.log.read_text().rpartition("\n")[0].splitlines()
        return [line for line in map(json.loads, complete) if line["event"] == name]
