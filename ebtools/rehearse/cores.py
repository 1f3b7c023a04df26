"""Keeps what asks and what answers on processor cores of their own, where the question is how much can be answered."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from ebtools.rehearse import ballast
from ebtools.rehearse.stage import Stage


def for_instances() -> int:
    """How many cores `apart` leaves to what serves."""
    return max(1, len(os.sched_getaffinity(0)) - 1)


@contextlib.contextmanager
def apart(stage: Stage) -> Iterator[None]:
    """The load and the load balancer on the first core, all that serves on the others; with one core, nothing changes.

    The database belongs to what serves. Left on all cores, it would lose a core to the load just when that grows, and
    what can be served would be less than what was measured as the most. For the same reason the first core is always
    busy: two cores share caches, or are halves of one, so that each is faster while the other idles.
    """
    cores = sorted(os.sched_getaffinity(0))
    asking = [*stage.load.pids(), *stage.balancer.pids()]
    answering = [pid for member in stage.fleet.members for pid in member.instance.cgroup.pids()]
    answering += stage.database.pids()
    with _busy() as filler:
        if len(cores) > 1:
            _pin([*asking, filler], cores[:1])
            _pin(answering, cores[1:])
        try:
            yield
        finally:
            _pin([*asking, *answering], cores)


@contextlib.contextmanager
def _busy() -> Iterator[int]:
    """A process that takes what nobody else wants of a core."""
    process = subprocess.Popen([sys.executable, ballast.__file__], start_new_session=True)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def _pin(pids: Iterable[int], cores: list[int]) -> None:
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").glob("[0-9]*"):
            # It may have ended since it was listed.
            with contextlib.suppress(OSError):
                os.sched_setaffinity(int(thread.name), cores)
