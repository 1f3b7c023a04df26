"""The SQL statements that each request costs, the same in a small list and in a large one."""

from collections.abc import Callable

import pytest

from fastier.database import Statistics
from tests.api import Person

SIZES = (100, 100_000)
Count = Callable[[], "object"]


@pytest.fixture(scope="module", params=SIZES)
def carol(request: pytest.FixtureRequest, settle: Callable[[str], Person], fill: Callable[[str, int], None]) -> Person:
    """Somebody whose inbox holds this many items, a tenth of them with tags."""
    person = settle(f"carol-{request.param}")
    fill(person.inbox, request.param)
    return person


def test_creating_an_item_with_tags_takes_at_most_four(carol: Person, statements: Statistics) -> None:
    carol.item("x", tags=["a", "b", "c", "tag-1"])
    assert 0 < statements.statements <= 4, statements.texts


def test_creating_an_item_with_all_that_it_may_have_takes_at_most_four(carol: Person, statements: Statistics) -> None:
    section = carol.post(f"/lists/{carol.inbox}/sections", {"name": "x"}).json["id"]
    parent = carol.item("parent", section_id=section)["id"]
    before = statements.statements
    carol.item(
        "x",
        parent_id=parent,
        section_id=section,
        assignee_id=carol.user_id,
        tags=["a", "tag-1"],
        due={"date": "2032-01-01"},
        recurrence={"rrule": "FREQ=DAILY"},
        reminders=[{"minutes_before": 5}, {"minutes_before": 10}],
    )
    assert statements.statements - before <= 4, statements.texts


def test_pages_of_a_section_and_of_subtasks_take_at_most_three(carol: Person, statements: Statistics) -> None:
    item = carol.get(f"/lists/{carol.inbox}/items?limit=1").json["data"][0]["id"]
    paths = (f"/lists/{carol.inbox}/items?section_id=none", f"/lists/{carol.inbox}/sections", f"/items/{item}/subtasks")
    for path in paths:
        before = statements.statements
        assert carol.get(path).status_code == 200
        assert 0 < statements.statements - before <= 3, statements.texts


def test_a_page_of_fifty_with_tags_takes_at_most_three(carol: Person, statements: Statistics) -> None:
    page = carol.get(f"/lists/{carol.inbox}/items?limit=50").json
    assert len(page["data"]) == 50
    assert any(item["tags"] for item in page["data"])
    assert 0 < statements.statements <= 3, statements.texts


def test_an_unchanged_page_takes_at_most_two(carol: Person, statements: Statistics) -> None:
    etag = carol.get(f"/lists/{carol.inbox}/items").headers["ETag"]
    before = statements.statements
    assert carol.get(f"/lists/{carol.inbox}/items", headers={"If-None-Match": etag}).status_code == 304
    assert 0 < statements.statements - before <= 2, statements.texts


def test_an_unchanged_item_takes_at_most_two(carol: Person, statements: Statistics) -> None:
    item = carol.get(f"/lists/{carol.inbox}/items?limit=1").json["data"][0]["id"]
    etag = carol.get(f"/items/{item}").headers["ETag"]
    before = statements.statements
    assert carol.get(f"/items/{item}", headers={"If-None-Match": etag}).status_code == 304
    assert 0 < statements.statements - before <= 2, statements.texts


def test_a_move_writes_one_row_of_items(carol: Person, statements: Statistics) -> None:
    first, second = carol.get(f"/lists/{carol.inbox}/items?limit=2").json["data"]
    before = len(statements.texts or [])
    carol.post(f"/items/{second['id']}/move", {"before": first["id"]})
    writes = [text for text in (statements.texts or [])[before:] if "UPDATE items" in text]
    assert len(writes) == 1
    assert "WHERE id = " in writes[0]
