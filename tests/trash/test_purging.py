"""Purging: what has lain in the trash for a month goes, whole and in batches, and nothing else does."""

from collections.abc import Callable

import pytest
from sqlalchemy import text

from fastier.attachments import sweeping
from fastier.database import Database
from fastier.services import Services
from fastier.trash import purging
from tests.api import Person

Age = Callable[[], None]


@pytest.fixture
def a_month_later(database: Database) -> Age:
    def age() -> None:
        with database.transaction() as connection:
            for table in ("items", "lists", "tags", "workspaces", "attachments"):
                connection.execute(
                    text(
                        f"UPDATE {table} SET deleted_at = deleted_at - interval '31 days' WHERE deleted_at IS NOT NULL"
                    )
                )

    return age


def _purge(services: Services, a_month_later: Age) -> None:
    """Twice, with a sweep between: a file keeps its item until the file has gone."""
    purging.purge(services, {})
    a_month_later()
    sweeping.sweep(services, {})
    purging.purge(services, {})


def _left(database: Database, table: str, ids: list[str]) -> int:
    with database.reading() as connection:
        statement = text(f"SELECT count(*) FROM {table} WHERE id = ANY(CAST(:ids AS uuid[]))")
        return int(connection.execute(statement, {"ids": ids}).scalar_one())


def test_old_trash_goes_with_all_that_hangs_on_it(
    alice: Person, services: Services, database: Database, a_month_later: Age
) -> None:
    workspace = alice.post("/workspaces", {"name": "doomed"}).json["id"]
    doomed_list = alice.post(f"/workspaces/{workspace}/lists", {"name": "l"}).json["id"]
    of_workspace = alice.item("a", doomed_list, tags=["x"])["id"]
    item, other_list = alice.item("b", tags=["y"])["id"], alice.new_list()
    in_list = alice.item("c", other_list)["id"]
    file = alice.upload(item, b"file")["id"]
    kept = alice.item("kept", tags=["kept"])["id"]
    tag = alice.get(f"/workspaces/{alice.workspace}/tags").json["data"][-1]["id"]
    for path in (f"/workspaces/{workspace}", f"/items/{item}", f"/lists/{other_list}", f"/tags/{tag}"):
        assert alice.delete(path).status_code == 204
    a_month_later()
    _purge(services, a_month_later)
    assert _left(database, "items", [of_workspace, item, in_list]) == 0
    assert _left(database, "lists", [doomed_list, other_list]) == 0
    assert _left(database, "workspaces", [workspace]) == 0
    assert _left(database, "tags", [tag]) == 0
    assert _left(database, "attachments", [file]) == 0
    assert _left(database, "items", [kept]) == 1
    assert alice.get(f"/items/{kept}").json["tags"] == ["kept"]
    assert alice.get(f"/workspaces/{alice.workspace}").json["storage_used"] == 0


def test_young_trash_stays(alice: Person, services: Services, a_month_later: Age) -> None:
    item, chores = alice.item()["id"], alice.new_list()
    alice.delete(f"/items/{item}")
    alice.delete(f"/lists/{chores}")
    purging.purge(services, {})
    assert alice.post(f"/items/{item}/restore").status_code == 200
    assert alice.post(f"/lists/{chores}/restore").status_code == 200


def test_a_large_list_goes_in_batches(
    alice: Person, services: Services, database: Database, a_month_later: Age, fill: Callable[[str, int], None]
) -> None:
    chores = alice.new_list()
    fill(chores, purging.BATCH * 2 + 1)
    alice.delete(f"/lists/{chores}")
    a_month_later()
    purging.purge(services, {})
    assert _left(database, "lists", [chores]) == 0
