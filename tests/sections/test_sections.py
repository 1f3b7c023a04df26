"""Sections: made, renamed, moved, deleted with their items and restored with exactly those."""

from collections.abc import Callable

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from fastier.database import Database
from fastier.sections import service
from tests.api import Person, pointers, problem


def _section(who: Person, name: str = "Doing", list_id: str | None = None, **more: object) -> str:
    response = who.post(f"/lists/{list_id or who.inbox}/sections", {"name": name, **more})
    assert response.status_code == 201, response.text
    return str(response.json["id"])


def _names(who: Person, list_id: str | None = None) -> list[str]:
    names, cursor = [], ""
    for _ in range(20):
        page = who.get(f"/lists/{list_id or who.inbox}/sections?limit=3{cursor}").json
        names += [section["name"] for section in page["data"]]
        if page["next_cursor"] is None:
            return names
        cursor = f"&cursor={page['next_cursor']}"
    raise AssertionError("the pages do not end")


def test_sections_are_in_their_order_and_move_within_it(alice: Person) -> None:
    a, b, c, d = (_section(alice, name) for name in "abcd")
    assert _names(alice) == ["a", "b", "c", "d"]
    assert alice.post(f"/sections/{d}/move", {"before": a}).status_code == 200
    assert alice.post(f"/sections/{a}/move", {"after": c}).status_code == 200
    assert _names(alice) == ["d", "b", "c", "a"]
    assert alice.post(f"/sections/{b}/move", {}).status_code == 200
    assert _names(alice) == ["d", "c", "a", "b"]
    elsewhere = _section(alice, "x", alice.new_list())
    for neighbour in (a, elsewhere, str(uuid7())):
        assert pointers(alice.post(f"/sections/{a}/move", {"after": neighbour})) == ["/after"]
    assert pointers(alice.post(f"/sections/{a}/move", {"after": b, "before": c})) == [""]


def test_a_gap_between_sections_that_is_halved_too_often_is_spread_out(alice: Person) -> None:
    first, a, b, last = (_section(alice, name) for name in ("first", "a", "b", "last"))
    for turn in range(1300):
        moved = alice.post(f"/sections/{(a, b)[turn % 2]}/move", {"after": first})
        assert len(moved.json["position"]) <= 100
    assert _names(alice) == ["first", "b", "a", "last"]
    assert last


def test_a_section_is_renamed_once_per_revision(alice: Person) -> None:
    section = alice.post(f"/lists/{alice.inbox}/sections", {"name": "a"})
    etag = section.headers["ETag"]
    path = f"/sections/{section.json['id']}"
    assert alice.patch(path, {"name": "b"}, headers={"If-Match": etag}).json["name"] == "b"
    problem(alice.patch(path, {"name": "c"}, headers={"If-Match": etag}), 412)
    problem(alice.delete(path, headers={"If-Match": etag}), 412)
    assert pointers(alice.patch(path, {"name": " "})) == ["/name"]
    assert pointers(alice.patch(path, {"position": "a"})) == ["/position"]
    assert alice.get(f"/lists/{alice.inbox}/sections?include=total").json["total"] == 1


def test_the_same_id_again_returns_the_first_section(alice: Person, bob: Person) -> None:
    id = str(uuid7())
    first = _section(alice, "first", id=id)
    assert _section(alice, "second", id=id) == first
    assert _names(alice) == ["first"]
    problem(bob.post(f"/lists/{bob.inbox}/sections", {"name": "x", "id": id}), 409, "id_in_use")


def test_a_list_has_a_bounded_number_of_sections(alice: Person, database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(
            text(
                """INSERT INTO sections (id, workspace_id, list_id, name, position, revision)
                SELECT gen_random_uuid(), :workspace, :list, 'x', 'n' || lpad(n::text, 9, '0') || 'V', 1
                FROM generate_series(1, :count) n"""
            ),
            {"workspace": alice.workspace, "list": alice.inbox, "count": service.MOST_SECTIONS},
        )
    problem(alice.post(f"/lists/{alice.inbox}/sections", {"name": "x"}), 409, "too_many_sections")


def test_a_deleted_section_takes_its_items_and_brings_back_exactly_those(alice: Person) -> None:
    section = _section(alice)
    parent = alice.item("parent", section_id=section)["id"]
    alice.item("child", parent_id=parent)
    done = alice.item("done", section_id=section)["id"]
    alice.post(f"/items/{done}/complete")
    earlier = alice.item("deleted before", section_id=section)["id"]
    alice.delete(f"/items/{earlier}")
    alice.item("outside")
    assert alice.delete(f"/sections/{section}").status_code == 204
    assert alice.titles(query="&completed=any") == ["outside"]
    problem(alice.get(f"/items/{parent}"), 404)
    problem(alice.patch(f"/sections/{section}", {"name": "x"}), 404)
    assert pointers(alice.post(f"/lists/{alice.inbox}/items", {"title": "x", "section_id": section})) == ["/section_id"]
    assert alice.post(f"/sections/{section}/restore").json["name"] == "Doing"
    assert alice.titles(query="&completed=any") == ["parent", "child", "done", "outside"]
    assert alice.get(f"/items/{parent}").json["subtask_count"] == 1
    problem(alice.post(f"/sections/{section}/restore"), 404)
    assert alice.post(f"/items/{earlier}/restore").json["section_id"] == section


def test_an_item_that_comes_back_before_its_section_is_in_none(alice: Person) -> None:
    section = _section(alice)
    parent = alice.item("parent", section_id=section)["id"]
    child = alice.item("child", parent_id=parent)["id"]
    alice.delete(f"/sections/{section}")
    back = alice.post(f"/items/{child}/restore").json
    assert (back["section_id"], back["parent_id"]) == (None, None)
    alice.post(f"/sections/{section}/restore")
    assert alice.titles() == ["parent", "child"]
    assert alice.get(f"/items/{parent}").json["subtask_count"] == 0
    assert alice.get(f"/items/{child}").json["section_id"] is None


@pytest.mark.parametrize(("count", "status"), [(10_000, 204), (10_001, 409)])
def test_a_section_is_deleted_in_one_bounded_step(
    alice: Person,
    database: Database,
    fill: Callable[[str, int], None],
    count: int,
    status: int,
) -> None:
    section = _section(alice)
    fill(alice.inbox, count)
    with database.transaction() as connection:
        connection.execute(
            text("UPDATE items SET section_id = :section WHERE list_id = :list"),
            {"section": section, "list": alice.inbox},
        )
    answer = alice.delete(f"/sections/{section}")
    assert answer.status_code == status, answer.text
    if status == 409:
        problem(answer, 409, "too_many_items")
        return
    assert alice.titles() == []
    assert alice.post(f"/sections/{section}/restore").status_code == 200
    page = alice.get(f"/lists/{alice.inbox}/items?section_id={section}&include=total").json
    assert page["total"] == count
