"""What the table promises, whoever runs its jobs."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import text

from fastier.database import Database
from fastier.jobs import enqueue, jobs_overview, purge, queue
from fastier.jobs.queue import Lease
from tests.jobs.running import rows, until


def add(database: Database, kind: str = "wash", **options: Any) -> None:
    with database.transaction() as connection:
        enqueue(connection, kind, {"n": 1}, **options)


def take(database: Database, holder: str, seconds: float = 60) -> Lease | None:
    with database.transaction() as connection:
        return queue.lease(connection, holder, ["wash"], seconds)


def taken(database: Database, holder: str = "first", seconds: float = 60) -> Lease:
    held = take(database, holder, seconds)
    assert held is not None
    return held


def test_a_job_is_there_once_its_transaction_commits(database: Database) -> None:
    with database.transaction() as connection:
        enqueue(connection, "wash", {"n": 1})
        assert take(database, "another") is None
    held = taken(database)
    assert (held.kind, held.payload, held.attempts) == ("wash", {"n": 1}, 1)


def test_a_rolled_back_transaction_leaves_no_job(database: Database) -> None:
    with suppress(LookupError), database.transaction() as connection:
        enqueue(connection, "wash", {"n": 1})
        raise LookupError
    assert rows(database) == []


def test_a_key_is_free_again_when_its_job_is_done_or_given_up(database: Database) -> None:
    add(database, key="once")
    add(database, key="once")
    assert len(rows(database)) == 1
    held = taken(database)
    add(database, key="once")
    assert len(rows(database)) == 1
    with database.transaction() as connection:
        queue.finish(connection, held)
    add(database, key="once")
    held = taken(database)
    with database.transaction() as connection:
        queue.give_up(connection, held, "no")
    add(database, key="once")
    assert [row["failed_at"] is None for row in rows(database)] == [False, True]


def test_two_transactions_with_one_key_add_one_job(database: Database) -> None:
    with database.transaction() as connection:
        enqueue(connection, "wash", {"n": 1}, key="once")
        other = Thread(target=add, args=(database,), kwargs={"key": "once"})
        other.start()
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
        with database.reading() as looking:
            until(lambda: looking.execute(waiting).scalar_one(), 1.5)
    other.join(10)
    assert len(rows(database)) == 1


def test_a_held_job_is_nobody_elses(database: Database) -> None:
    add(database)
    with database.transaction() as connection:
        assert queue.lease(connection, "first", ["wash"], 60)
        # Neither while the lease is being written, without waiting for it, nor after that.
        assert take(database, "second") is None
    assert take(database, "second") is None


def test_the_job_that_has_been_due_the_longest_comes_first(database: Database) -> None:
    now = datetime.now(UTC)
    for minutes in (-5, -10, 10):
        add(database, run_at=now + timedelta(minutes=minutes))
    due = {row["run_at"]: row["id"] for row in rows(database)}
    expected = [due[moment] for moment in sorted(due)]
    assert [taken(database).id, taken(database).id] == expected[:2]
    assert take(database, "first") is None


def test_a_kind_that_this_release_does_not_know_waits(database: Database) -> None:
    add(database, kind="of a newer release")
    assert take(database, "first") is None
    assert [row["attempts"] for row in rows(database)] == [0]


def test_a_lease_that_ran_out_is_taken_over_and_its_first_holder_changes_nothing_more(database: Database) -> None:
    add(database)
    lost = taken(database, "first", seconds=0)
    held = taken(database, "second")
    assert (held.id, held.attempts) == (lost.id, 2)
    before = rows(database)
    with database.transaction() as connection:
        assert not queue.renew(connection, lost, 600)
        queue.finish(connection, lost)
        queue.retry(connection, lost, "late", 0)
        queue.give_up(connection, lost, "late")
    assert rows(database) == before
    with database.transaction() as connection:
        assert queue.renew(connection, held, 600)
        queue.finish(connection, held)
    assert rows(database) == []


@pytest.mark.parametrize("error", ["long " * 1000, "a NUL \0 of some file", "half a pair \ud800"])
def test_any_error_can_be_kept(database: Database, error: str) -> None:
    add(database)
    held = taken(database)
    with database.transaction() as connection:
        queue.retry(connection, held, error, 0)
    kept = rows(database)[0]["last_error"]
    assert kept
    assert len(kept) <= 500


def test_the_overview_tells_the_age_of_the_oldest_due_job_and_counts_those_given_up(database: Database) -> None:
    def overview() -> tuple[float, int]:
        with database.reading() as connection:
            found = jobs_overview(connection)
        return found.oldest_ready_seconds, found.failed

    assert overview() == (0.0, 0)
    add(database, run_at=datetime.now(UTC) + timedelta(hours=1))
    assert overview() == (0.0, 0)
    add(database, run_at=datetime.now(UTC) - timedelta(hours=1))
    assert 3590 < overview()[0] < 3900
    held = taken(database)
    assert overview() == (0.0, 0)
    with database.transaction() as connection:
        queue.give_up(connection, held, "no")
    assert overview() == (0.0, 1)


def test_only_jobs_given_up_a_month_ago_are_purged(database: Database) -> None:
    for kind in ("long ago", "long ago", "lately", "waiting"):
        add(database, kind=kind)
    failed = text("UPDATE jobs SET failed_at = now() - make_interval(days => :days) WHERE kind = :kind")
    with database.transaction() as connection:
        connection.execute(failed, [{"days": 31, "kind": "long ago"}, {"days": 29, "kind": "lately"}])
        assert purge(connection, 1) == 1
        assert purge(connection, 10) == 1
        assert purge(connection, 10) == 0
    assert [row["kind"] for row in rows(database)] == ["lately", "waiting"]


def test_a_period_gets_one_job_whoever_asks(database: Database) -> None:
    def ask(period: int) -> int:
        with database.transaction() as connection:
            queue.enqueue_period(connection, "wash", period)
        return len(rows(database))

    def done() -> None:
        held = taken(database)
        with database.transaction() as connection:
            queue.finish(connection, held)

    assert [ask(1000), ask(1000)] == [1, 1]
    # The one before is still to be done: a second would only do the same.
    assert ask(2000) == 1
    done()
    assert [ask(2000), ask(1000)] == [0, 0]
    assert ask(3000) == 1


def test_taking_a_job_does_not_read_those_that_wait_or_were_given_up(database: Database) -> None:
    fill = """INSERT INTO jobs (kind, payload, run_at, failed_at)
        SELECT 'wash', '{}', now() + interval '1 day', CASE WHEN n % 2 = 0 THEN now() END
        FROM generate_series(1, 4000) n"""
    with database.transaction() as connection:
        connection.execute(text(fill))
        connection.execute(text("ANALYZE jobs"))
        parameters = {"holder": "first", "kinds": ["wash"], "lease": 60}
        plan = connection.execute(text(f"EXPLAIN (FORMAT JSON) {queue._LEASE.text}"), parameters).scalar_one()
    assert "ix_jobs_due" in str(plan)
    assert "Seq Scan" not in str(plan)
