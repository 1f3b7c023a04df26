"""Who writes to a workspace waits for those who came before, and for nobody else."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text

from fastier.database import Database
from tests.api import Person

_WAITING = text("""SELECT coalesce(array_agg(wait_event), '{}') FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'""")
_HOLD = text("UPDATE workspaces SET revision = revision + 1 WHERE id = :id")


def waiting(database: Database) -> list[str]:
    """What each of those who wait for a lock waits for."""
    with database.transaction() as connection:
        return list(connection.execute(_WAITING).scalar_one())


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "waited ten seconds in vain"
        time.sleep(0.01)


def test_those_who_write_to_a_workspace_queue_and_take_turns(alice: Person, database: Database) -> None:
    """One waits for the row, so that a commit wakes one and not all; the others wait behind it in their order."""
    with ThreadPoolExecutor(4) as pool:
        with database.transaction() as connection:
            connection.execute(_HOLD, {"id": alice.workspace})
            writes = []
            for number in range(4):
                writes.append(pool.submit(alice.item, f"item {number}"))
                until(lambda: len(waiting(database)) == number + 1)  # noqa: B023
            assert sorted(waiting(database)) == ["advisory", "advisory", "advisory", "transactionid"]
        made = [write.result(10) for write in writes]
    assert [item["revision"] for item in made] == sorted(item["revision"] for item in made)


def test_who_writes_to_another_workspace_does_not_wait(alice: Person, bob: Person, database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(_HOLD, {"id": alice.workspace})
        assert bob.item("mine")["title"] == "mine"
