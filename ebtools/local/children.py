"""Starts programs that cannot outlive us, and stops them."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ebtools.local.account import Account

PR_SET_PDEATHSIG = 1
# Loaded before any fork: what runs between fork and exec must not import.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Child:
    """A program in a session of its own, so that a terminal's Ctrl-C reaches only us and we decide the order."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environ: Mapping[str, str],
        folder: Path | None = None,
        account: Account | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.log = log
        self.stop_signal = stop_signal
        self._is_asked = False
        identity = account.popen_arguments() if account else {"cwd": folder}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environ),
                start_new_session=True,
                preexec_fn=end_with_parent(stop_signal),
                **identity,
            )

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        code = self.process.returncode
        return f"exit {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"

    def last_lines(self, count: int = 12) -> str:
        """The end of what it printed."""
        with self.log.open("rb") as written:
            written.seek(max(0, self.log.stat().st_size - 16_384))
            lines = written.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-count:])

    def ask_to_stop(self) -> None:
        """Tell it once; told twice, some programs stop without finishing what is under way."""
        if not self._is_asked and not self.has_ended:
            self._is_asked = True
            self.process.send_signal(self.stop_signal)

    def stop(self, patience: float, *, hurry: Callable[[], bool] = lambda: False) -> None:
        """Ask it to stop and wait; after `patience` seconds, or when `hurry` says so, kill it with all it started."""
        self.ask_to_stop()
        deadline = time.monotonic() + patience
        while not self.has_ended and time.monotonic() < deadline and not hurry():
            time.sleep(0.01)
        self._kill_rest()
        self.process.wait(10)

    def _kill_rest(self) -> None:
        """Its session can hold processes that outlived it, such as workers of a killed gunicorn."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return


def end_with_parent(number: signal.Signals) -> Callable[[], None]:
    """For `preexec_fn`: Linux sends this signal when we die, even of SIGKILL."""
    parent = os.getpid()

    def ask() -> None:
        ask_for_signal_at_end_of_parent(number)
        # We may have died between the fork and the call, and then no signal would ever come.
        if os.getppid() != parent:
            os._exit(1)

    return ask


def ask_for_signal_at_end_of_parent(number: signal.Signals) -> None:
    """Only Linux can do this; elsewhere nothing happens."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
