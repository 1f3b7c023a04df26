"""The breaker opens after errors in a row, and lets one call at a time find out whether it may close."""

import pytest

from fastier.storage import ObjectMissing, StorageUnavailable
from fastier.storage.breaker import Breaker
from tests.storage.stores import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(100.0)


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock=clock)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        with pytest.raises(StorageUnavailable, match="down"), breaker.call():
            raise StorageUnavailable("down")


def is_open(breaker: Breaker) -> bool:
    try:
        with breaker.call():
            return False
    except StorageUnavailable:
        return True


def test_it_opens_at_the_third_error_within_ten_seconds(breaker: Breaker) -> None:
    fail(breaker, 3)
    assert is_open(breaker)


def test_two_errors_leave_it_closed(breaker: Breaker) -> None:
    fail(breaker, 2)
    assert not is_open(breaker)


def test_errors_far_apart_leave_it_closed(breaker: Breaker, clock: Clock) -> None:
    for _ in range(6):
        fail(breaker, 1)
        clock.now += 6
    assert not is_open(breaker)


def test_a_missing_object_is_no_error_of_the_store(breaker: Breaker) -> None:
    for _ in range(5):
        with pytest.raises(ObjectMissing), breaker.call():
            raise ObjectMissing("k")
    assert not is_open(breaker)


def test_it_stays_open_for_ten_seconds_and_closes_on_success(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 9.9
    assert is_open(breaker)
    clock.now += 0.1
    assert not is_open(breaker)
    fail(breaker, 2)
    assert not is_open(breaker)


def test_a_failed_attempt_opens_it_again(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 10
    fail(breaker, 1)
    clock.now += 9.9
    assert is_open(breaker)


def test_only_one_call_at_a_time_tries_again(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 10
    with breaker.call():
        assert is_open(breaker)
    assert not is_open(breaker)


def test_a_call_from_before_it_opened_decides_nothing(breaker: Breaker, clock: Clock) -> None:
    late = breaker.call()
    late.__enter__()
    fail(breaker, 3)
    clock.now += 10
    with breaker.call():
        error = StorageUnavailable("late")
        assert not late.__exit__(type(error), error, None)
        assert is_open(breaker)
    assert not is_open(breaker)
