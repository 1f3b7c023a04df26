"""What becomes of jobs when the process that runs them is stopped, killed, or cut off from the database."""

from fastier.database import Database
from fastier.jobs import enqueue
from tests.jobs.running import Process, Start, rows, until


def add(database: Database, kind: str, name: str) -> None:
    with database.transaction() as connection:
        enqueue(connection, kind, {"name": name, "secret": "canary-4711"})


def hold(database: Database, process: Process, name: str) -> None:
    """Put a job into the queue that is under way when this returns."""
    add(database, "hold", name)
    until(lambda: process.marks(f"{name}.begun"))


def test_sigterm_ends_what_runs_takes_nothing_more_and_exits_0(database: Database, start: Start) -> None:
    process = start()
    # One for each of its threads.
    hold(database, process, "wash")
    hold(database, process, "dry")
    process.terminate()
    until(lambda: process.events("jobs_stopping"))
    add(database, "hold", "after")
    process.release()
    assert process.process.wait(25) == 0
    assert process.events("jobs_stopped")[0]["finished"] is True
    assert process.marks("wash.done")
    assert process.marks("dry.done")
    assert [row["payload"]["name"] for row in rows(database)] == ["after"]


def test_a_job_that_does_not_end_cannot_hold_up_the_stop(database: Database, start: Start) -> None:
    process = start(stop=0.2)
    hold(database, process, "wash")
    process.terminate()
    assert process.process.wait(20) == 0
    assert process.events("jobs_stopped")[0]["finished"] is False
    # It is still in the queue, for whoever finds its lease run out.
    assert [row["failed_at"] for row in rows(database)] == [None]


def test_the_job_of_a_killed_runner_is_done_by_another(database: Database, start: Start) -> None:
    killed = start(lease=2)
    hold(database, killed, "wash")
    killed.process.kill()
    killed.process.wait(10)
    other = start(lease=2)
    other.release()
    until(lambda: other.marks("wash.done") and not rows(database))
    assert other.marks("wash.begun") == [str(killed.process.pid), str(other.process.pid)]
    assert other.marks("wash.done") == [str(other.process.pid)]


def test_a_job_that_was_given_up_is_an_error_in_the_log_without_its_payload(database: Database, start: Start) -> None:
    process = start()
    add(database, "fail", "wash")
    until(lambda: process.events("job_given_up"))
    assert [line["level"] for line in process.events("job_failed")] == ["warning"] * 2
    (line,) = process.events("job_given_up")
    assert (line["level"], line["attempts"], line["kind"]) == ("error", 3, "fail")
    assert line["error"] == "RuntimeError: it cannot be done"
    process.release()
    hold(database, process, "wash")
    until(lambda: process.events("job_done"))
    assert "canary-4711" not in process.log.read_text()
