"""What systemd does on an instance: it keeps each line of the Procfile alive, and nginx, and stops them in order."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ebtools.rehearse.instance import Instance

# systemd's own figures, which the platform's units leave as they are.
RESTART_SECONDS = 0.1
STOP_SECONDS = 90.0
FORK_SECONDS = 5.0
MOST_STARTS, STARTS_WITHIN = 5, 10.0


@dataclass(slots=True)
class Unit:
    """A program that is started whenever it has ended, until it is stopped, though not five times in ten seconds."""

    instance: Instance
    name: str
    command: Sequence[str]
    environ: Mapping[str, str] = field(repr=False)
    folder: str = "/"
    user: str = "root"
    log: str = ""
    starts: list[float] = field(default_factory=list)
    _process: "subprocess.Popen[bytes] | None" = None
    _keeper: threading.Thread | None = None
    _is_wanted: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Start it, and keep it alive from now on."""
        self._is_wanted.set()
        self._begin()
        self._keeper = threading.Thread(target=self._keep, name=f"{self.instance.name}-{self.name}", daemon=True)
        self._keeper.start()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def has_given_up(self) -> bool:
        """Whether it ended so often that it is no longer started."""
        recent = [moment for moment in self.starts if moment > time.monotonic() - STARTS_WITHIN]
        return len(recent) >= MOST_STARTS and not self.is_running

    def _begin(self) -> None:
        path = self.instance.root / "var/log" / (self.log or f"{self.name}.stdout.log")
        path.parent.mkdir(parents=True, exist_ok=True)
        pid_file = f"/var/pids/{self.name}.pid"
        # The number within the instance, which hooks and the health agent read; the shell becomes the program.
        written = f'echo $$ > {pid_file}.new && mv {pid_file}.new {pid_file} && exec "$@"'
        command: list[str] = ["sh", "-c", written, "sh", *self._as_user(self.command)]
        self.starts.append(time.monotonic())
        with path.open("ab") as log:
            self._process = subprocess.Popen(
                self.instance.argv(command, folder=self.folder),
                env=dict(self.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _as_user(self, command: Sequence[str]) -> list[str]:
        if self.user == "root":
            return list(command)
        account = f"--reuid={self.user}", f"--regid={self.user}"
        return ["setpriv", *account, "--clear-groups", "--", *command]

    def _keep(self) -> None:
        while self._is_wanted.is_set():
            process = self._process
            if process is None or process.poll() is None:
                time.sleep(0.05)
            elif self.has_given_up:
                return
            else:
                time.sleep(RESTART_SECONDS)
                if self._is_wanted.is_set():
                    self._begin()

    def stop(self) -> None:
        """SIGTERM to all its processes, as systemd does by default; SIGKILL to what is left after ninety seconds."""
        self.forget()
        self._send_to_all(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self._process is not None and self.is_running and time.monotonic() < deadline:
            # nsenter, which stopped itself if the instance hung, would not see that its child has ended.
            _send(self._process.pid, signal.SIGCONT)
            time.sleep(0.02)
        self._send_to_all(signal.SIGKILL)
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)

    def _send_to_all(self, number: signal.Signals) -> None:
        main = self._main()
        for pid in [main, *_descendants(main)] if main else []:
            _send(pid, number)

    def forget(self) -> None:
        """Do not start it again."""
        self._is_wanted.clear()
        if self._keeper is not None and self._keeper is not threading.current_thread():
            self._keeper.join(5)

    def children(self) -> list[int]:
        """The processes that the program itself has started, as this side counts them."""
        return _children(self._main())

    def _main(self) -> int:
        """nsenter forks into the instance's processes, which takes a moment; its child is the program."""
        deadline = time.monotonic() + FORK_SECONDS
        while self._process is not None and self._process.poll() is None and time.monotonic() < deadline:
            if children := _children(self._process.pid):
                return children[0]
            time.sleep(0.005)
        return 0


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    waiting = _children(pid)
    while waiting:
        found += waiting
        waiting = [child for one in waiting for child in _children(one)]
    return found
