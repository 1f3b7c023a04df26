"""What a runner does with jobs, beside another one and through an outage."""

import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from sqlalchemy import text

from fastier.database import Database
from fastier.jobs import Pace, Periodic, Runner, enqueue
from fastier.services import Services
from tests.jobs.running import rows, running, until

FAST = Pace(idle=0.02, lease=20, first_retry=0.01, stop=15, most_attempts=3)


def add(database: Database, kind: str, *payloads: dict[str, Any]) -> None:
    with database.transaction() as connection:
        for payload in payloads:
            enqueue(connection, kind, payload)


def test_a_job_that_is_done_leaves_nothing_behind(services: Services) -> None:
    seen: list[dict[str, Any]] = []
    with running(Runner(services, {"wash": lambda _services, payload: seen.append(payload)}, pace=FAST)):
        add(services.database, "wash", {"n": 1})
        until(lambda: seen and not rows(services.database))
    assert seen == [{"n": 1}]


def test_two_runners_do_each_job_once(services: Services) -> None:
    done: Counter[int] = Counter()
    at_work: Counter[int] = Counter()
    together: list[int] = []
    lock = threading.Lock()

    def wash(_services: Services, payload: dict[str, Any]) -> None:
        with lock:
            at_work[payload["n"]] += 1
            together.append(at_work[payload["n"]])
        with services.database.reading() as connection:
            connection.execute(text("SELECT pg_sleep(0.002)"))
        with lock:
            at_work[payload["n"]] -= 1
            done[payload["n"]] += 1

    add(services.database, "wash", *({"n": n} for n in range(120)))
    with running(*(Runner(services, {"wash": wash}, pace=FAST) for _ in range(2))):
        until(lambda: not rows(services.database))
    assert done == Counter(range(120))
    assert set(together) == {1}


def test_a_failing_job_is_tried_again_and_then_given_up(services: Services) -> None:
    tries: list[int] = []

    def fail(_services: Services, payload: dict[str, Any]) -> None:
        tries.append(payload["n"])
        raise ValueError(f"not today\nsecret {payload['n']}")

    add(services.database, "wash", {"n": 4711})
    with running(Runner(services, {"wash": fail}, pace=FAST)):
        until(lambda: rows(services.database)[0]["failed_at"])
    (row,) = rows(services.database)
    assert (tries, row["attempts"], row["holder"]) == ([4711] * 3, 3, None)
    # Only the first line of an error is kept: what follows it may repeat a row.
    assert row["last_error"] == "ValueError: not today"


def test_a_job_that_fails_once_is_done_at_the_second_attempt(services: Services) -> None:
    tries: list[int] = []

    def fail_once(_services: Services, payload: dict[str, Any]) -> None:
        tries.append(payload["n"])
        if len(tries) == 1:
            raise ValueError("a NUL \0 and half a pair \ud800")

    add(services.database, "wash", {"n": 1})
    with running(Runner(services, {"wash": fail_once}, threads=1, pace=FAST)):
        until(lambda: not rows(services.database))
    assert tries == [1, 1]


def test_each_attempt_waits_longer_up_to_a_bound(services: Services) -> None:
    runner = Runner(services, {}, pace=Pace(first_retry=10, longest_retry=100))
    delays = [runner._delay(attempts) for attempts in range(1, 11)]
    expected = [10, 20, 40, 80, *[100] * 6]
    assert [delay / meant for delay, meant in zip(delays, expected, strict=True)] == pytest.approx([1] * 10, abs=0.21)


def test_a_job_whose_runner_always_died_is_given_up_untried(services: Services) -> None:
    tries: list[Any] = []
    add(services.database, "wash", {"n": 1})
    with services.database.transaction() as connection:
        connection.execute(text("UPDATE jobs SET attempts = 3, holder = 'one that was killed'"))
    with running(Runner(services, {"wash": lambda _services, payload: tries.append(payload)}, pace=FAST)):
        until(lambda: rows(services.database)[0]["failed_at"])
    assert tries == []
    assert "JobAbandoned" in rows(services.database)[0]["last_error"]


def test_a_job_that_takes_longer_than_its_lease_keeps_it(services: Services) -> None:
    released = threading.Event()
    tries: list[int] = []

    def long(_services: Services, payload: dict[str, Any]) -> None:
        tries.append(payload["n"])
        released.wait(30)

    pace = Pace(idle=0.02, lease=3, stop=15)
    add(services.database, "wash", {"n": 1})
    with running(*(Runner(services, {"wash": long}, pace=pace) for _ in range(2))):
        until(lambda: rows(services.database)[0]["holder"])
        first_end = rows(services.database)[0]["run_at"]
        until(lambda: rows(services.database)[0]["run_at"] > first_end + timedelta(seconds=pace.lease))
        released.set()
        until(lambda: not rows(services.database))
    assert tries == [1]


def test_a_period_is_done_once_by_two_runners(services: Services) -> None:
    done: list[str] = []
    periodic = [Periodic("sweep", timedelta(days=3650)), Periodic("purge", timedelta(days=3650))]
    handlers = {kind: lambda _services, _payload, kind=kind: done.append(kind) for kind in ("sweep", "purge")}
    runners = [Runner(services, handlers, periodic, pace=FAST) for _ in range(2)]
    with running(*runners):
        until(lambda: all(len(runner._periods) == 2 for runner in runners))
        until(lambda: len(done) >= 2 and not rows(services.database))
    assert sorted(done) == ["purge", "sweep"]


def test_the_next_period_is_done_too(services: Services) -> None:
    done: list[int] = []
    sweep = Periodic("sweep", timedelta(seconds=1))
    with running(Runner(services, {"sweep": lambda _services, _payload: done.append(1)}, [sweep], pace=FAST)):
        until(lambda: len(done) >= 2)


def test_an_outage_of_the_database_is_survived(services: Services, queue_url: str, database_url: str) -> None:
    done: list[int] = []
    runner = Runner(services, {"wash": lambda _services, payload: done.append(payload["n"])}, pace=FAST)
    add(services.database, "wash", {"n": 1})
    with running(runner):
        until(lambda: done == [1] and not rows(services.database))
        allow_connections(database_url, queue_url, "false")
        try:
            until(lambda: runner._is_down)
            with pytest.raises(psycopg2.OperationalError):
                psycopg2.connect(queue_url.replace("+psycopg2", ""), connect_timeout=5)
        finally:
            allow_connections(database_url, queue_url, "true")
        add(services.database, "wash", {"n": 2})
        until(lambda: done == [1, 2])
        until(lambda: not runner._is_down)


def allow_connections(database_url: str, queue_url: str, allowed: str) -> None:
    """Let nobody into the database of the jobs and throw out who is in, or let people in again."""
    name = queue_url.rpartition("/")[2].partition("?")[0]
    connection = psycopg2.connect(database_url.replace("+psycopg2", ""), connect_timeout=5)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}")
        if allowed == "false":
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
    connection.close()
