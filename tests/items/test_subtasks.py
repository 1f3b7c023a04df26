"""Subtasks: where they may be, what happens to all of them at once, and assignees."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from fastier.attachments import sweeping
from fastier.database import Database, Statistics
from fastier.services import Services
from fastier.trash import purging
from tests.api import Person, pointers, problem
from tests.joining import join, shared_workspace


def _section(who: Person, name: str = "Doing", list_id: str | None = None) -> str:
    response = who.post(f"/lists/{list_id or who.inbox}/sections", {"name": name})
    assert response.status_code == 201, response.text
    return str(response.json["id"])


def _chain(who: Person, length: int) -> list[str]:
    """Items, each the parent of the next."""
    ids = [who.item("0")["id"]]
    for number in range(1, length):
        ids.append(who.item(str(number), parent_id=ids[-1])["id"])
    return ids


def _subtasks(who: Person, id: str) -> list[str]:
    return [item["title"] for item in who.get(f"/items/{id}/subtasks").json["data"]]


def test_a_subtask_is_counted_at_its_parent_and_stays_on_its_lists_page(alice: Person) -> None:
    parent = alice.item("parent")
    etag = alice.get(f"/items/{parent['id']}").headers["ETag"]
    child = alice.item("child", parent_id=parent["id"], tags=["x"])
    assert child["parent_id"] == parent["id"]
    now = alice.get(f"/items/{parent['id']}", headers={"If-None-Match": etag})
    assert (now.status_code, now.json["subtask_count"], now.json["revision"]) == (200, 1, child["revision"])
    assert alice.titles() == ["parent", "child"]
    assert _subtasks(alice, parent["id"]) == ["child"]


def test_subtasks_are_paged_in_their_order_done_or_not(alice: Person) -> None:
    parent = alice.item("parent")["id"]
    ids = [alice.item(str(number), parent_id=parent)["id"] for number in range(5)]
    alice.post(f"/items/{ids[1]}/complete")
    alice.post(f"/items/{ids[4]}/move", {"before": ids[0]})
    titles, cursor = [], ""
    for _ in range(5):
        page = alice.get(f"/items/{parent}/subtasks?limit=2&include=total{cursor}").json
        titles += [item["title"] for item in page["data"]]
        assert page["total"] == 5
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert titles == ["4", "0", "1", "2", "3"]


def test_subtasks_go_four_levels_deep(alice: Person) -> None:
    chain = _chain(alice, 5)
    answer = alice.post(f"/lists/{alice.inbox}/items", {"title": "x", "parent_id": chain[-1]})
    assert pointers(answer) == ["/parent_id"]
    other = _chain(alice, 2)
    assert pointers(alice.patch(f"/items/{other[0]}", {"parent_id": chain[3]})) == ["/parent_id"]
    assert alice.patch(f"/items/{other[0]}", {"parent_id": chain[2]}).status_code == 200


def test_an_item_has_a_bounded_number_of_subtasks(alice: Person, database: Database) -> None:
    parent, child = alice.item("parent")["id"], alice.item("child")["id"]
    with database.transaction() as connection:
        connection.execute(text("UPDATE items SET subtask_count = 500 WHERE id = :id"), {"id": parent})
    new = {"title": "x", "parent_id": parent}
    problem(alice.post(f"/lists/{alice.inbox}/items", new), 409, "too_many_subtasks")
    problem(alice.patch(f"/items/{child}", {"parent_id": parent}), 409, "too_many_subtasks")


def test_an_item_never_lies_beneath_itself(alice: Person) -> None:
    first, second, third = _chain(alice, 3)
    for parent in (first, second, third):
        assert pointers(alice.patch(f"/items/{first}", {"parent_id": parent})) == ["/parent_id"]
    assert alice.patch(f"/items/{third}", {"parent_id": first}).json["parent_id"] == first
    assert [alice.get(f"/items/{id}").json["subtask_count"] for id in (first, second, third)] == [2, 0, 0]


def test_two_moves_at_once_make_no_circle(alice: Person, database: Database) -> None:
    for _ in range(8):
        ids = [alice.item("a")["id"], alice.item("b")["id"]]
        together = threading.Barrier(2)

        def put(number: int, ids: list[str] = ids, together: threading.Barrier = together) -> int:
            together.wait(10)
            return alice.patch(f"/items/{ids[number]}", {"parent_id": ids[1 - number]}).status_code

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(put, range(2))) == [200, 422]


@pytest.mark.parametrize("field", ["section_id", "parent_id", "assignee_id"])
def test_what_is_not_there_is_pointed_at(alice: Person, bob: Person, field: str) -> None:
    elsewhere = alice.new_list()
    strange = {
        "section_id": [_section(alice, list_id=elsewhere), _section(bob)],
        "parent_id": [alice.item("x", elsewhere)["id"], bob.item()["id"]],
        "assignee_id": [bob.user_id],
    }[field]
    item = alice.item("here")["id"]
    for id in (*strange, str(uuid7())):
        assert pointers(alice.post(f"/lists/{alice.inbox}/items", {"title": "x", field: id})) == [f"/{field}"]
        assert pointers(alice.patch(f"/items/{item}", {field: id})) == [f"/{field}"]
    assert pointers(alice.patch(f"/items/{item}", {field: "x"})) == [f"/{field}"]
    assert alice.patch(f"/items/{item}", {field: None}).status_code == 200


def test_a_subtask_is_in_the_section_of_its_parent(alice: Person) -> None:
    first, second = _section(alice, "a"), _section(alice, "b")
    parent = alice.item("parent", section_id=first)["id"]
    child = alice.item("child", parent_id=parent)
    grandchild = alice.item("grandchild", parent_id=child["id"], section_id=first)["id"]
    assert child["section_id"] == first
    new = {"title": "x", "parent_id": parent, "section_id": second}
    assert pointers(alice.post(f"/lists/{alice.inbox}/items", new)) == ["/section_id"]
    assert pointers(alice.patch(f"/items/{child['id']}", {"section_id": second})) == ["/section_id"]
    assert alice.patch(f"/items/{parent}", {"section_id": second}).json["section_id"] == second
    for id in (child["id"], grandchild):
        assert alice.get(f"/items/{id}").json["section_id"] == second
    loose = alice.item("loose")["id"]
    assert alice.patch(f"/items/{child['id']}", {"parent_id": loose}).json["section_id"] is None
    assert alice.get(f"/items/{grandchild}").json["section_id"] is None
    own = alice.patch(f"/items/{child['id']}", {"parent_id": None, "section_id": first}).json
    assert (own["parent_id"], own["section_id"]) == (None, first)
    assert [alice.get(f"/items/{id}").json["subtask_count"] for id in (parent, loose)] == [0, 0]


def test_items_move_across_sections(alice: Person) -> None:
    first, second = _section(alice, "a"), _section(alice, "b")
    a, b = alice.item("a", section_id=first)["id"], alice.item("b", section_id=second)["id"]
    moved = alice.post(f"/items/{a}/move", {"section_id": second, "after": b}).json
    assert (moved["section_id"], alice.titles()) == (second, ["b", "a"])
    assert alice.post(f"/items/{a}/move", {"before": b}).json["section_id"] == second
    assert alice.titles(query=f"&section_id={second}") == ["a", "b"]
    assert alice.post(f"/items/{a}/move", {"section_id": None}).json["section_id"] is None
    assert alice.titles(query="&section_id=none") == ["a"]
    elsewhere = alice.new_list()
    for where in ({"section_id": _section(alice, list_id=elsewhere)}, {"list_id": elsewhere, "section_id": first}):
        assert pointers(alice.post(f"/items/{b}/move", where)) == ["/section_id"]
    assert alice.post(f"/items/{b}/move", {"list_id": elsewhere}).json["section_id"] is None


def test_a_parent_takes_its_subtasks_along_and_a_subtask_leaves_its_parent(alice: Person) -> None:
    parent, child, grandchild = _chain(alice, 3)
    done = alice.item("done", parent_id=child)["id"]
    alice.post(f"/items/{done}/complete")
    elsewhere = alice.new_list()
    alice.item("first", elsewhere)
    section = _section(alice, list_id=elsewhere)
    assert alice.post(f"/items/{parent}/move", {"list_id": elsewhere, "section_id": section}).status_code == 200
    assert alice.titles() == []
    assert alice.titles(elsewhere, "&completed=any") == ["first", "0", "1", "2", "done"]
    assert alice.get(f"/items/{grandchild}").json["section_id"] == section
    alone = alice.post(f"/items/{child}/move", {"list_id": alice.inbox}).json
    assert (alone["parent_id"], alone["subtask_count"]) == (None, 2)
    assert alice.get(f"/items/{parent}").json["subtask_count"] == 0
    assert alice.titles(query="&completed=any") == ["1", "2", "done"]


def test_a_subtask_that_stays_in_its_section_stays_with_its_parent(alice: Person) -> None:
    parent = alice.item("parent")["id"]
    a, b = (alice.item(title, parent_id=parent)["id"] for title in "ab")
    moved = alice.post(f"/items/{b}/move", {"before": a, "list_id": alice.inbox, "section_id": None}).json
    assert moved["parent_id"] == parent
    assert _subtasks(alice, parent) == ["b", "a"]


def test_completing_a_parent_completes_what_lies_beneath_and_reopening_undoes_it(alice: Person) -> None:
    parent, child, grandchild = _chain(alice, 3)
    before = alice.item("done before", parent_id=parent)["id"]
    alice.post(f"/items/{before}/complete")
    done = alice.post(f"/items/{parent}/complete").json
    assert done["subtask_count"] == 2
    assert alice.titles() == []
    assert alice.get(f"/items/{grandchild}").json["completed_at"] == done["completed_at"]
    assert pointers(alice.post(f"/lists/{alice.inbox}/items", {"title": "x", "parent_id": parent})) == ["/parent_id"]
    alice.post(f"/items/{parent}/reopen")
    assert alice.titles() == ["0", "1", "2"]
    assert alice.get(f"/items/{before}").json["completed_at"] is not None
    alice.post(f"/items/{parent}/complete")
    alice.post(f"/items/{grandchild}/reopen")
    assert alice.titles() == ["0", "1", "2"]
    assert alice.get(f"/items/{child}").json["completed_at"] is None


def test_a_parent_is_deleted_and_restored_with_what_lies_beneath(alice: Person) -> None:
    parent, child, grandchild = _chain(alice, 3)
    before = alice.item("deleted before", parent_id=parent)["id"]
    alice.delete(f"/items/{before}")
    assert alice.get(f"/items/{parent}").json["subtask_count"] == 1
    alice.delete(f"/items/{parent}")
    assert alice.titles() == []
    restored = alice.post(f"/items/{parent}/restore").json
    assert restored["subtask_count"] == 1
    assert alice.titles() == ["0", "1", "2"]
    assert alice.post(f"/items/{before}/restore").json["parent_id"] == parent
    assert alice.get(f"/items/{parent}").json["subtask_count"] == 2
    alice.delete(f"/items/{child}")
    assert alice.get(f"/items/{parent}").json["subtask_count"] == 1
    problem(alice.get(f"/items/{grandchild}"), 404)


def test_a_subtask_comes_back_to_where_its_parent_is_now(alice: Person) -> None:
    parent, child, _ = _chain(alice, 3)
    alice.delete(f"/items/{child}")
    elsewhere = alice.new_list()
    alice.post(f"/items/{parent}/move", {"list_id": elsewhere})
    back = alice.post(f"/items/{child}/restore").json
    assert (back["list_id"], back["parent_id"], back["subtask_count"]) == (elsewhere, parent, 1)
    assert alice.titles(elsewhere) == ["0", "1", "2"]


def test_a_subtask_without_its_parent_comes_back_alone(alice: Person) -> None:
    parent, child = _chain(alice, 2)
    alice.delete(f"/items/{parent}")
    assert alice.post(f"/items/{child}/restore").json["parent_id"] is None
    assert alice.post(f"/items/{parent}/restore").json["subtask_count"] == 0
    other, below = _chain(alice, 2)
    alice.delete(f"/items/{below}")
    alice.post(f"/items/{other}/complete")
    assert alice.post(f"/items/{below}/restore").json["parent_id"] is None


def test_whoever_leaves_leaves_their_items_to_nobody(alice: Person, bob: Person, services: Services) -> None:
    workspace = shared_workspace(alice)
    join(services, alice, workspace, bob)
    chores = alice.post(f"/workspaces/{workspace}/lists", {"name": "chores"}).json["id"]
    item = alice.item("x", chores, assignee_id=bob.user_id)
    assert item["assignee_id"] == bob.user_id
    mine = alice.patch(f"/items/{item['id']}", {"assignee_id": alice.user_id}).json
    assert mine["assignee_id"] == alice.user_id
    alice.patch(f"/items/{item['id']}", {"assignee_id": bob.user_id})
    assert bob.delete(f"/workspaces/{workspace}/members/{bob.user_id}").status_code == 204
    assert alice.get(f"/items/{item['id']}").json["assignee_id"] is None


def test_old_trash_goes_from_the_leaves_up(alice: Person, database: Database, services: Services) -> None:
    parent, child, grandchild = _chain(alice, 3)
    alice.upload(grandchild, b"file")
    section = _section(alice)
    inside = alice.item("inside", section_id=section)["id"]
    alice.delete(f"/items/{parent}")
    alice.delete(f"/sections/{section}")
    for _ in range(2):
        with database.transaction() as connection:
            for table in ("items", "sections", "attachments"):
                connection.execute(
                    text(
                        f"UPDATE {table} SET deleted_at = deleted_at - interval '31 days' WHERE deleted_at IS NOT NULL"
                    )
                )
        purging.purge(services, {})
        sweeping.sweep(services, {})
    purging.purge(services, {})
    with database.reading() as connection:
        ids = {"ids": [parent, child, grandchild, inside, section]}
        for table in ("items", "sections"):
            left = text(f"SELECT count(*) FROM {table} WHERE id = ANY (CAST(:ids AS uuid[]))")
            assert connection.execute(left, ids).scalar_one() == 0


def test_a_wide_family_is_moved_and_deleted_in_a_few_statements(
    alice: Person, database: Database, fill: Callable[[str, int], None], statements: Statistics
) -> None:
    parent = alice.item("parent")["id"]
    fill(alice.inbox, 400)
    with database.transaction() as connection:
        connection.execute(
            text("UPDATE items SET parent_id = :parent WHERE list_id = :list AND id <> :parent"),
            {"parent": parent, "list": alice.inbox},
        )
        connection.execute(text("UPDATE items SET subtask_count = 400 WHERE id = :parent"), {"parent": parent})
    elsewhere = alice.new_list()
    before = statements.statements
    alice.post(f"/items/{parent}/move", {"list_id": elsewhere})
    assert statements.statements - before <= 8, statements.texts
    assert len(alice.titles(elsewhere)) == 200
    before = statements.statements
    alice.delete(f"/items/{parent}")
    assert statements.statements - before <= 8, statements.texts
    assert alice.titles(elsewhere) == []


def test_more_beneath_than_one_step_takes_is_refused(
    alice: Person, database: Database, fill: Callable[[str, int], None]
) -> None:
    parent = alice.item("parent")["id"]
    fill(alice.inbox, 10_001)
    with database.transaction() as connection:
        connection.execute(
            text("UPDATE items SET parent_id = :parent WHERE list_id = :list AND id <> :parent"),
            {"parent": parent, "list": alice.inbox},
        )
        connection.execute(text("UPDATE items SET subtask_count = 10001 WHERE id = :parent"), {"parent": parent})
    for answer in (alice.post(f"/items/{parent}/complete"), alice.delete(f"/items/{parent}")):
        problem(answer, 409, "too_many_items")
