"""Replaces a worker that outgrows its share of the instance's memory, before the kernel kills one that it chooses."""

import fcntl
import tempfile
import time
from pathlib import Path

# Reading it takes a millisecond or two; a worker does not outgrow an instance within so many seconds.
CHECK_SECONDS = 5.0
_ROLLUP = Path("/proc/self/smaps_rollup")


class MemoryGuard:
    """Made before the fork and inherited by every worker, so that only one of them retires at a time."""

    def __init__(self, share: int, *, check_seconds: float = CHECK_SECONDS) -> None:
        self.share = share
        self.check_seconds = check_seconds
        self._next_check = 0.0
        self._turn = tempfile.TemporaryFile()  # noqa: SIM115 - it is held as long as the process lives

    def outgrown(self) -> int | None:
        """The bytes that this worker holds, once they exceed its share and it is this worker's turn to go.

        The turn ends with the process, by whatever means, since the kernel then frees the lock.
        """
        now = time.monotonic()
        if now < self._next_check:
            return None
        self._next_check = now + self.check_seconds
        held = proportional_bytes()
        return held if held > self.share and self._take_turn() else None

    def close(self) -> None:
        self._turn.close()

    def _take_turn(self) -> bool:
        try:
            fcntl.lockf(self._turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def proportional_bytes(rollup: Path = _ROLLUP) -> int:
    """What this process holds, a page that it shares counted in part; 0 where the kernel does not tell."""
    try:
        lines = rollup.read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
