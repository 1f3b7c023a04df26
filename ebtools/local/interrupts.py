"""Turns Ctrl-C, SIGTERM and a closed terminal into an orderly stop."""

import os
import signal
import time
from pathlib import Path
from types import FrameType

from ebtools.local.children import ask_for_signal_at_end_of_parent


class Stopping(BaseException):
    """Somebody asked for the end; everything that runs is to be stopped."""


class Interrupts:
    """Counts the requests to stop; nothing is interrupted but where `sleep` is called."""

    def __init__(self) -> None:
        self._count = 0
        self._make: int | None = None

    def install(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)
        # nohup wants a closed terminal to be ignored.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._note)
        if "MAKELEVEL" in os.environ:
            self._make = os.getppid() if _catches_interrupts(os.getppid()) else None
            # A make that is killed tells its children nothing.
            ask_for_signal_at_end_of_parent(signal.SIGTERM)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._count += 1

    def sleep(self, seconds: float) -> None:
        """Wait; raises Stopping once somebody has asked for the end."""
        if not self._count:
            time.sleep(seconds)
        self._look_at_make()
        if self._count:
            raise Stopping

    def _look_at_make(self) -> None:
        """A make that alone got a SIGINT drops its handler, and then waits for us without a word."""
        if self._make is not None and not _catches_interrupts(self._make):
            self._make = None
            self._count = max(1, self._count)

    def is_impatient(self) -> bool:
        """Whether somebody asked twice, and does not want to wait for what is under way."""
        return self._count > 1


def _catches_interrupts(pid: int) -> bool:
    """Whether that process handles SIGINT, as far as the system tells."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) >> (signal.SIGINT - 1) & 1)
