"""Workers, threads and permits follow from cores and memory, and from what control groups take away."""

import os
from pathlib import Path

import pytest

from fastier.web.sizing import FEWEST_WORKER_BYTES, MEMORY_BASE, MIB, Machine, Sizing, plan, read_machine

GIB = 1024 * MIB


@pytest.mark.parametrize(
    ("cores", "memory", "workers"),
    [
        (1, 256 * MIB, 1),
        (1, 512 * MIB, 1),
        (2, 512 * MIB, 1),
        (2, 1 * GIB, 2),
        (2, 4 * GIB, 2),
        (4, 8 * GIB, 4),
        (8, 512 * MIB, 1),
        (8, 16 * GIB, 8),
        (64, 256 * GIB, 12),
    ],
)
def test_workers_follow_cores_as_far_as_memory_reaches(cores: int, memory: int, workers: int) -> None:
    assert plan(Machine(cores, memory)).workers == workers


@pytest.mark.parametrize("permits", [None, 1, 6, 64])
@pytest.mark.parametrize("transfers", [0, 4])
def test_two_threads_stay_free_when_every_place_is_taken(permits: int | None, transfers: int) -> None:
    sizing = plan(Machine(2, 2 * GIB), permits=permits, transfers=transfers)
    lanes = [sizing.permits, sizing.waiting, 2 * sizing.transfers, sizing.sign_ins, sizing.sign_ins_waiting]
    assert sizing.threads - sum(lanes) - sizing.files - sizing.files_waiting == 2


def test_the_environment_overrides_what_is_computed() -> None:
    overridden = plan(Machine(1, 256 * MIB), workers=5, permits=6, worker_memory=300 * MIB)
    assert overridden == Sizing(5, 6, 48, 0, 300 * MIB)


@pytest.mark.parametrize(("cores", "memory"), [(1, 1 * GIB), (2, 2 * GIB), (4, 8 * GIB), (16, 32 * GIB)])
def test_all_shares_together_leave_room_for_what_else_runs(cores: int, memory: int) -> None:
    sizing = plan(Machine(cores, memory))
    assert sizing.workers * sizing.worker_memory <= memory - MEMORY_BASE


def test_a_share_is_never_so_small_that_a_worker_is_replaced_for_working() -> None:
    assert plan(Machine(2, 512 * MIB), workers=8).worker_memory == FEWEST_WORKER_BYTES


def test_the_largest_machine_leaves_connections_of_postgresqls_hundred() -> None:
    assert plan(Machine(64, 256 * GIB)).connections <= 80


def machine(root: Path, cgroup: str, files: dict[str, str]) -> Machine:
    for name, text in {"proc/self/cgroup": cgroup, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_machine(root)


def test_without_control_groups_the_whole_machine_counts(tmp_path: Path) -> None:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert machine(tmp_path, "", {}) == Machine(len(os.sched_getaffinity(0)), memory)


def test_the_tightest_limit_of_a_groups_ancestors_counts(tmp_path: Path) -> None:
    found = machine(
        tmp_path,
        "0::/system.slice/web.service\n",
        {
            "sys/fs/cgroup/system.slice/memory.max": str(512 * MIB),
            "sys/fs/cgroup/system.slice/web.service/memory.max": "max",
            "sys/fs/cgroup/system.slice/web.service/cpu.max": "50000 100000",
        },
    )
    assert found == Machine(1, 512 * MIB)


def test_limits_of_version_1_count_and_its_huge_number_means_none(tmp_path: Path) -> None:
    limited = {
        "sys/fs/cgroup/memory/box/memory.limit_in_bytes": str(768 * MIB),
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
    }
    assert machine(tmp_path, "4:memory:/box\n1:cpu,cpuacct:/\n", limited) == Machine(1, 768 * MIB)
    unlimited = {
        "sys/fs/cgroup/memory/box/memory.limit_in_bytes": "9223372036854771712",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
    }
    assert machine(tmp_path, "4:memory:/box\n1:cpu:/\n", unlimited) == machine(tmp_path, "", {})


def test_this_machine_can_be_read() -> None:
    found = read_machine()
    assert found.cores >= 1
    assert found.memory > 64 * MIB
