"""How many workers, threads and permits suit this machine's cores and memory."""

import math
import os
from dataclasses import dataclass
from pathlib import Path

from fastier.settings import Settings

MIB = 1024 * 1024

# Requests that one worker runs at once, each with its database connection. Two workers of four threads
# measured best on two cores: more make the tail longer through the interpreter lock, and PostgreSQL is
# quickest with about two active connections per core.
PERMITS = 4
# Places in each worker's waiting room: with requests of some ten milliseconds the last one waits a tenth of a
# second, and a hundred clients at once are served rather than refused. A waiting thread costs about 50 KiB.
WAITING_PER_PERMIT = 8
# Files that pass through a worker at once; only in development, where storage is local.
TRANSFERS = 4
# Sign-ins at once, and waiting: hashing a password takes tens of milliseconds of a core, and a storm of them must leave
# the permits of everything else alone.
SIGN_INS = 2
SIGN_INS_WAITING = 16
# Calls that may ask S3, at once and waiting. One that hangs takes seconds and must leave the permits of everything else
# alone. They hold no database connection meanwhile, and share those of the others.
FILES = 2
FILES_WAITING = 8
# Threads that never wait: one answers the probe while the other writes a refusal.
SPARE = 2

# What else runs on an instance. Measured by bench/web.py and by hand: the job runner 82 MiB, gunicorn's parent about
# 45, nginx 8. The operating system with the platform's agents gets 256 MiB, which only an instance can show.
MEMORY_BASE = 400 * MIB
# What a forked worker adds under load.
MEMORY_PER_WORKER = 80 * MIB
# A smaller share would have workers replaced that only do their work.
FEWEST_WORKER_BYTES = 2 * MEMORY_PER_WORKER
# One killed worker must not empty the instance.
FEWEST_WORKERS = 2
# Six connections each: 72, which leaves room for jobs, migrations and people within PostgreSQL's
# default of 100. Whoever has a larger database sets WEB_CONCURRENCY.
MOST_WORKERS = 12


@dataclass(frozen=True, slots=True)
class Machine:
    """What this process may use: whole cores, and memory in bytes."""

    cores: int
    memory: int


@dataclass(frozen=True, slots=True)
class Sizing:
    """`workers` processes; the other numbers hold for each of them."""

    workers: int
    permits: int
    waiting: int
    transfers: int
    # Bytes that a worker may hold before it is replaced.
    worker_memory: int = FEWEST_WORKER_BYTES
    sign_ins: int = SIGN_INS
    sign_ins_waiting: int = SIGN_INS_WAITING
    files: int = FILES
    files_waiting: int = FILES_WAITING
    spare: int = SPARE

    @property
    def threads(self) -> int:
        sign_ins, files = self.sign_ins + self.sign_ins_waiting, self.files + self.files_waiting
        return self.permits + self.waiting + 2 * self.transfers + sign_ins + files + self.spare

    @property
    def pool(self) -> int:
        """The database pool's size: whoever is let in and asks nothing but the database finds a connection."""
        return self.permits + self.sign_ins

    @property
    def connections(self) -> int:
        """Database connections that all workers together hold at most."""
        return self.workers * self.pool


def plan(
    machine: Machine,
    *,
    workers: int | None = None,
    permits: int | None = None,
    worker_memory: int | None = None,
    transfers: int = 0,
) -> Sizing:
    """The numbers for this machine; `workers`, `permits` and `worker_memory` override what would be computed."""
    permits = permits or PERMITS
    for_workers = machine.memory - MEMORY_BASE
    wanted = min(max(machine.cores, FEWEST_WORKERS), MOST_WORKERS)
    workers = workers or min(wanted, max(1, for_workers // MEMORY_PER_WORKER))
    share = worker_memory or max(for_workers // workers, FEWEST_WORKER_BYTES)
    return Sizing(workers, permits, permits * WAITING_PER_PERMIT, transfers, share)


def for_this_machine(settings: Settings) -> Sizing:
    """The settings WEB_CONCURRENCY, FASTIER_THREADS and FASTIER_WORKER_MEMORY override what would be computed."""
    return plan(
        read_machine(),
        workers=settings.workers,
        permits=settings.threads,
        worker_memory=settings.worker_memory and settings.worker_memory * MIB,
        transfers=TRANSFERS if settings.storage == "local" else 0,
    )


def read_machine(root: Path = Path("/")) -> Machine:
    """Cores and memory, less what a control group (version 1 or 2) takes away."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    groups = _groups(root)
    memory = [limit for group in groups if (limit := _memory_limit(group))]
    cores = [limit for group in groups if (limit := _core_limit(group))]
    return Machine(min([usable, *cores]), min([total, *memory]))


def _groups(root: Path) -> list[Path]:
    """The folders whose limits hold for this process: its own control groups and all above them."""
    mount = root / "sys/fs/cgroup"
    found = []
    for line in _read(root / "proc/self/cgroup").splitlines():
        _number, controllers, path = line.split(":", 2)
        for name in ("memory", "cpu") if controllers else ("",):
            if controllers and name not in controllers.split(","):
                continue
            own = mount / name / path.lstrip("/")
            found += [folder for folder in (own, *own.parents) if folder.is_relative_to(mount)]
    return found


def _memory_limit(group: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        if (text := _read(group / name)).isdigit():
            return int(text)
    return None


def _core_limit(group: Path) -> int | None:
    """A quota of processor time in whole cores, rounded up."""
    quota, _, period = _read(group / "cpu.max").partition(" ")
    if not period:
        quota, period = _read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us")
    return max(1, math.ceil(int(quota) / int(period))) if quota.isdigit() and period.isdigit() else None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
