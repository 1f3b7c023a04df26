"""Attempts are counted exactly, whoever counts them at the same time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from fastier.database import Database, Statistics
from fastier.throttle import allow, forget, purge_throttles

HOUR = timedelta(hours=1)

Age = Callable[[timedelta], None]


def attempt(database: Database, key: str, burst: int, per: timedelta = HOUR) -> float:
    with database.transaction() as connection:
        return allow(connection, key, burst=burst, per=per)


@pytest.fixture
def key() -> str:
    return f"sign-in:{uuid4()}@example.com"


@pytest.fixture
def age(database: Database) -> Age:
    """Let time pass for every key, by moving the rows instead of the clock."""

    def pass_(time: timedelta) -> None:
        with database.transaction() as connection:
            connection.execute(text("UPDATE throttles SET full_at = full_at - :time"), {"time": time})

    return pass_


def test_of_fifty_attempts_at_once_exactly_the_burst_is_allowed(database: Database, key: str) -> None:
    with ThreadPoolExecutor(16) as threads:
        waits = list(threads.map(lambda _: attempt(database, key, 10), range(50)))
    assert sum(wait == 0 for wait in waits) == 10
    # A tenth of an hour each; the first refused one waits the longest.
    assert all(300 < wait <= 360 for wait in waits if wait)


def test_waiting_as_long_as_told_allows_one_more(database: Database, key: str, age: Age) -> None:
    waits = [attempt(database, key, 3) for _ in range(4)]
    assert waits[:3] == [0, 0, 0]
    age(timedelta(seconds=waits[3] - 60))
    assert 0 < attempt(database, key, 3) <= 60
    age(timedelta(seconds=60))
    assert attempt(database, key, 3) == 0
    assert attempt(database, key, 3) > 0


def test_a_long_pause_gives_no_more_than_the_burst(database: Database, key: str, age: Age) -> None:
    attempt(database, key, 3)
    age(timedelta(days=10))
    assert [attempt(database, key, 3) == 0 for _ in range(4)] == [True, True, True, False]


def test_keys_do_not_share_attempts_and_are_not_kept(database: Database, key: str) -> None:
    assert attempt(database, key, 1) == 0
    assert attempt(database, key, 1) > 0
    assert attempt(database, key + "!", 1) == 0
    with database.reading() as connection:
        kept = connection.execute(text("SELECT throttles::text FROM throttles")).scalars().all()
    assert kept
    assert not [row for row in kept if key in row or key.encode().hex() in row]


def test_forgetting_gives_every_attempt_back(database: Database, key: str) -> None:
    assert [attempt(database, key, 2) == 0 for _ in range(3)] == [True, True, False]
    with database.transaction() as connection:
        forget(connection, key)
    assert attempt(database, key, 2) == 0


def test_an_attempt_that_is_rolled_back_does_not_count(database: Database, key: str) -> None:
    with suppress(LookupError), database.transaction() as connection:
        assert allow(connection, key, burst=1, per=HOUR) == 0
        raise LookupError
    assert attempt(database, key, 1) == 0


def test_an_allowed_attempt_is_one_statement(database: Database, key: str, statements: Statistics) -> None:
    attempt(database, key, 1)
    assert statements.statements == 1


def test_rows_that_say_nothing_any_more_are_purged(database: Database, key: str, age: Age) -> None:
    age(timedelta(days=10))
    with database.transaction() as connection:
        purge_throttles(connection, 100_000)
    attempt(database, key, 2)
    attempt(database, key + "!", 2)
    age(timedelta(hours=2))
    attempt(database, key + "?", 2)
    with database.transaction() as connection:
        assert [purge_throttles(connection, limit) for limit in (1, 5, 5)] == [1, 1, 0]
    assert [attempt(database, key + "?", 2) == 0 for _ in range(2)] == [True, False]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(burst=st.integers(1, 5), pauses=st.lists(st.integers(0, 90), max_size=12))
def test_any_window_allows_at_most_burst_and_what_was_given_back(
    database: Database, age: Age, burst: int, pauses: list[int]
) -> None:
    """Minutes pass between attempts; in any stretch at most the burst plus its share of the stretch is allowed."""
    key = str(uuid4())
    minute, allowed = 0, []
    for pause in [0, *pauses]:
        age(timedelta(minutes=pause))
        minute += pause
        if attempt(database, key, burst) == 0:
            allowed.append(minute)
    for first in range(len(allowed)):
        for last in range(first, len(allowed)):
            # A minute of grace for the time that the test itself takes.
            assert last - first + 1 <= burst + burst * (allowed[last] - allowed[first] + 1) / 60
