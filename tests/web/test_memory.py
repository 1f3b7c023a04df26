"""The guard's rules: how often it looks, what it counts, and that only one worker goes at a time."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fastier.web.memory import MemoryGuard, proportional_bytes

Guarded = Callable[[int, float], MemoryGuard]


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    with ExitStack() as opened:

        def make(share: int, check_seconds: float = 0) -> MemoryGuard:
            guard = MemoryGuard(share, check_seconds=check_seconds)
            opened.callback(guard.close)
            return guard

        yield make


def test_it_counts_a_shared_page_in_part(tmp_path: Path) -> None:
    rollup = tmp_path / "rollup"
    rollup.write_text("00400000-7ffd ---p 00000000 00:00 0 [rollup]\nRss: 900 kB\nPss: 300 kB\nPss_Anon: 200 kB\n")
    assert proportional_bytes(rollup) == 300 * 1024


def test_where_the_kernel_does_not_tell_nobody_is_replaced(tmp_path: Path) -> None:
    assert proportional_bytes(tmp_path / "missing") == 0


def test_within_the_share_nobody_goes(guarded: Guarded) -> None:
    assert guarded(2**40, 0).outgrown() is None


def test_beyond_the_share_it_tells_how_much_is_held(guarded: Guarded) -> None:
    held = guarded(1, 0).outgrown()
    assert held is not None
    assert held > 2**20


def test_it_looks_only_now_and_then(guarded: Guarded) -> None:
    guard = guarded(1, 3600)
    assert guard.outgrown() is not None
    assert guard.outgrown() is None


def test_one_worker_goes_at_a_time_and_the_next_when_it_has_gone(guarded: Guarded) -> None:
    guard = guarded(1, 0)
    reading, writing = os.pipe()
    let_go_reading, let_go_writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"y" if guard.outgrown() else b"n")
        os.read(let_go_reading, 1)
        os._exit(0)
    assert os.read(reading, 1) == b"y"
    assert guard.outgrown() is None
    os.write(let_go_writing, b"x")
    os.waitpid(child, 0)
    assert guard.outgrown() is not None
    for descriptor in (reading, writing, let_go_reading, let_go_writing):
        os.close(descriptor)
