"""Requests are counted in memory that the workers of an instance share."""

import os
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastier.throttle import RequestLimiter, Verdict, limit_headers

ALICE, BOB = b"alice", b"bob"


class Clock:
    """Tells the time that a test sets, in seconds."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limiter(clock: Clock, quota: int = 10, window_seconds: int = 60) -> RequestLimiter:
    return RequestLimiter(quota=quota, window_seconds=window_seconds, clock=clock)


def allowed(taken: RequestLimiter, key: bytes, times: int) -> int:
    return sum(taken.take(key).allowed for _ in range(times))


def in_child(count: Callable[[], int]) -> int:
    """What a forked child counts, as a worker of gunicorn would."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, struct.pack("q", count()))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as result:
        answer = result.read()
    assert os.waitpid(child, 0)[1] == 0
    return int(struct.unpack("q", answer)[0])


def test_a_key_may_use_its_quota_at_once_and_then_its_share(clock: Clock) -> None:
    requests = limiter(clock)
    assert allowed(requests, ALICE, 15) == 10
    clock.now += 5.9
    assert not requests.take(ALICE).allowed
    clock.now += 0.2
    assert allowed(requests, ALICE, 5) == 1
    clock.now += 3600
    assert allowed(requests, ALICE, 15) == 10


@pytest.mark.parametrize("uptime", [0.0, 1e4, 1e6, 1e8])
def test_the_quota_is_exact_however_long_the_machine_is_up(clock: Clock, uptime: float) -> None:
    clock.now = uptime
    requests = limiter(clock, quota=6000)
    assert allowed(requests, ALICE, 6010) == 6000


def test_keys_do_not_share_a_quota(clock: Clock) -> None:
    requests = limiter(clock)
    assert [allowed(requests, ALICE, 11), allowed(requests, BOB, 11)] == [10, 10]


def test_a_client_is_told_what_is_left_and_how_long_to_wait(clock: Clock) -> None:
    requests = limiter(clock)
    first = requests.take(ALICE)
    assert (first.remaining, first.reset, first.retry_after) == (9, 6, 0)
    verdicts = [requests.take(ALICE) for _ in range(10)]
    assert [verdict.remaining for verdict in verdicts] == [8, 7, 6, 5, 4, 3, 2, 1, 0, 0]
    assert [verdict.allowed for verdict in verdicts] == [True] * 9 + [False]
    clock.now += 1
    refused = requests.take(ALICE)
    assert not refused.allowed
    assert [refused.reset, refused.retry_after] == pytest.approx([59, 5])
    clock.now += refused.retry_after
    assert requests.take(ALICE).allowed


def test_the_headers_are_the_structured_fields_of_the_draft() -> None:
    verdict = Verdict(True, quota=600, window=60, remaining=599, reset=0.1, retry_after=0.0)
    assert limit_headers(verdict) == {
        "RateLimit-Policy": '"default";q=600;w=60',
        "RateLimit": '"default";r=599;t=1',
    }


def test_forked_workers_share_one_quota(clock: Clock) -> None:
    requests = limiter(clock)
    assert in_child(lambda: allowed(requests, ALICE, 4)) == 4
    assert in_child(lambda: allowed(requests, ALICE, 4)) == 4
    assert allowed(requests, ALICE, 4) == 2
    assert in_child(lambda: allowed(requests, ALICE, 4)) == 0


def test_forked_workers_share_the_clock() -> None:
    requests = RequestLimiter(quota=5, window_seconds=3600)
    assert in_child(lambda: allowed(requests, ALICE, 6)) == 5
    assert not requests.take(ALICE).allowed


def test_workers_that_count_one_key_at_once_share_its_quota(clock: Clock) -> None:
    requests = limiter(clock, quota=2000)
    reader, writer = os.pipe()
    children = []
    for _ in range(2):
        if (child := os.fork()) == 0:
            os.write(writer, struct.pack("q", allowed(requests, ALICE, 3000)))
            os._exit(0)
        children.append(child)
    os.close(writer)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    with os.fdopen(reader, "rb") as result:
        total = sum(struct.unpack("qq", result.read()))
    # Each race that is lost lets one more through, a fifth in so tight a loop; without sharing it would be 4000.
    assert 2000 <= total < 3400
    assert not requests.take(ALICE).allowed


def test_more_keys_than_there_is_room_for_are_let_through_and_idle_ones_make_room(clock: Clock) -> None:
    requests = limiter(clock, quota=1)
    size = len(requests._moments)
    for number in range(100_000):
        assert requests.take(b"%d" % number).allowed
    assert len(requests._moments) == size
    busy = sum(not requests.take(b"%d" % number).allowed for number in range(1000))
    assert busy > 900
    clock.now += 61
    assert requests.take(ALICE).allowed
    assert not requests.take(ALICE).allowed


@given(quota=st.integers(1, 8), pauses=st.lists(st.floats(0, 30), max_size=40))
def test_no_window_ever_sees_more_than_twice_the_quota(quota: int, pauses: list[float]) -> None:
    """The burst, and what is given back while the window lasts."""
    clock = Clock()
    requests = limiter(clock, quota)
    moments = []
    for pause in pauses:
        clock.now += pause
        if requests.take(ALICE).allowed:
            moments.append(clock.now)
    for first in range(len(moments)):
        inside = [moment for moment in moments[first:] if moment - moments[first] < requests.window]
        assert len(inside) <= 2 * quota
