"""Items: create, read, change, move, complete, delete and restore."""

from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from tests.api import Person, pointers, problem


def test_an_item_is_created_with_its_defaults(alice: Person) -> None:
    made = alice.item("Buy milk")
    assert UUID(made["id"]).version == 7
    expected = {
        "title": "Buy milk",
        "notes": "",
        "priority": 4,
        "tags": [],
        "due": None,
        "completed_at": None,
        "section_id": None,
        "parent_id": None,
        "assignee_id": None,
        "recurrence": None,
        "subtask_count": 0,
        "attachment_count": 0,
        "comment_count": 0,
        "list_id": alice.inbox,
    }
    assert {name: made[name] for name in expected} == expected
    assert alice.get(f"/items/{made['id']}").json == made


def test_an_item_is_created_with_everything(alice: Person) -> None:
    due = {"date": "2026-12-01", "time": "09:30", "timezone": "Europe/Berlin"}
    made = alice.item("x", notes="two\nlines", priority=1, tags=["shop", "Home"], due=due)
    assert (made["notes"], made["priority"], made["tags"], made["due"]) == (
        "two\nlines",
        1,
        ["Home", "shop"],
        due,
    )


def test_a_time_without_a_zone_is_in_the_zone_of_its_author(alice: Person) -> None:
    alice.patch("/me", {"timezone": "Asia/Tokyo"})
    made = alice.item("x", due={"date": "2026-12-01", "time": "09:30"})
    assert made["due"]["timezone"] == "Asia/Tokyo"


def test_tags_that_differ_in_case_are_one(alice: Person) -> None:
    alice.item("x", tags=["Home", "HOME"])
    assert alice.item("y", tags=["home"])["tags"] == ["Home"]
    assert len(alice.get(f"/workspaces/{alice.workspace}/tags").json["data"]) == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/title"),
        ({"title": "  "}, "/title"),
        ({"title": "a\u0000b"}, "/title"),
        ({"title": "x" * 1001}, "/title"),
        ({"title": 7}, "/title"),
        ({"title": "x", "priority": 0}, "/priority"),
        ({"title": "x", "priority": "1"}, "/priority"),
        ({"title": "x", "priority": True}, "/priority"),
        ({"title": "x", "tags": ["a"] * 51}, "/tags"),
        ({"title": "x", "tags": ["a", ""]}, "/tags/1"),
        ({"title": "x", "due": {"date": "2026-02-30"}}, "/due/date"),
        ({"title": "x", "due": {"date": "2026-02-03T00:00:00"}}, "/due/date"),
        ({"title": "x", "due": {"date": "2026-02-03", "time": "25:00"}}, "/due/time"),
        ({"title": "x", "due": {"date": "2026-02-03", "time": "9:30"}}, "/due/time"),
        ({"title": "x", "due": {"date": "2026-02-03", "time": "09:30", "timezone": "Mars"}}, "/due/timezone"),
        ({"title": "x", "due": {"date": "2026-02-03", "timezone": "UTC"}}, "/due"),
        ({"title": "x", "id": "no"}, "/id"),
        ({"title": "x", "id": "7d5f3e3e-3c3a-4b53-9b6a-0d6a8f5e7a11"}, "/id"),
        ({"title": "x", "colour": "red"}, "/colour"),
    ],
)
def test_bad_fields_are_pointed_at_and_change_nothing(alice: Person, body: dict[str, object], pointer: str) -> None:
    before = alice.get(f"/lists/{alice.inbox}/items").headers["ETag"]
    assert pointers(alice.post(f"/lists/{alice.inbox}/items", body)) == [pointer]
    assert alice.get(f"/lists/{alice.inbox}/items").headers["ETag"] == before


def test_the_same_id_again_returns_the_first_result(alice: Person) -> None:
    id = str(uuid7())
    first = alice.item("first", id=id)
    again = alice.post(f"/lists/{alice.inbox}/items", {"title": "second", "id": id})
    assert (again.status_code, again.json) == (201, first)
    assert alice.titles() == ["first"]


def test_the_id_of_somebody_elses_item_is_refused(alice: Person, bob: Person) -> None:
    id = alice.item()["id"]
    problem(bob.post(f"/lists/{bob.inbox}/items", {"title": "x", "id": id}), 409, "id_in_use")
    assert bob.titles() == []


def test_a_merge_patch_changes_what_is_sent_and_nothing_else(alice: Person) -> None:
    made = alice.item("x", notes="keep", tags=["a"], due={"date": "2026-12-01", "time": "10:00", "timezone": "UTC"})
    changed = alice.patch(f"/items/{made['id']}", {"title": "y", "due": {"time": "11:00"}}).json
    assert (changed["title"], changed["notes"], changed["tags"]) == ("y", "keep", ["a"])
    assert changed["due"] == {"date": "2026-12-01", "time": "11:00", "timezone": "UTC"}
    assert changed["revision"] > made["revision"]


def test_null_clears_what_may_be_empty_and_is_refused_elsewhere(alice: Person) -> None:
    made = alice.item("x", due={"date": "2026-12-01", "time": "10:00", "timezone": "UTC"})
    without_time = alice.patch(f"/items/{made['id']}", {"due": {"time": None}}).json
    assert without_time["due"] == {"date": "2026-12-01", "time": None, "timezone": None}
    assert alice.patch(f"/items/{made['id']}", {"due": None}).json["due"] is None
    assert pointers(alice.patch(f"/items/{made['id']}", {"title": None})) == ["/title"]
    assert pointers(alice.patch(f"/items/{made['id']}", {"due": {"time": "10:00"}})) == ["/due/date"]


def test_a_patch_replaces_the_tags(alice: Person) -> None:
    made = alice.item("x", tags=["a", "b"])
    assert alice.patch(f"/items/{made['id']}", {"tags": ["b", "c"]}).json["tags"] == ["b", "c"]
    assert alice.patch(f"/items/{made['id']}", {"tags": []}).json["tags"] == []


def test_renaming_a_tag_changes_the_items_that_carry_it(alice: Person) -> None:
    made = alice.item("x", tags=["a"])
    etag = alice.get(f"/items/{made['id']}").headers["ETag"]
    tag = alice.get(f"/workspaces/{alice.workspace}/tags").json["data"][0]["id"]
    alice.patch(f"/tags/{tag}", {"name": "z"})
    again = alice.get(f"/items/{made['id']}", headers={"If-None-Match": etag})
    assert (again.status_code, again.json["tags"]) == (200, ["z"])
    alice.delete(f"/tags/{tag}")
    gone = alice.get(f"/items/{made['id']}", headers={"If-None-Match": again.headers["ETag"]})
    assert (gone.status_code, gone.json["tags"]) == (200, [])
    alice.post(f"/tags/{tag}/restore")
    assert alice.get(f"/items/{made['id']}").json["tags"] == ["z"]


def test_items_move_before_after_and_to_the_end(alice: Person) -> None:
    a, _, c = (alice.item(title)["id"] for title in "abc")
    alice.post(f"/items/{c}/move", {"before": a})
    assert alice.titles() == ["c", "a", "b"]
    alice.post(f"/items/{c}/move", {"after": a})
    assert alice.titles() == ["a", "c", "b"]
    alice.post(f"/items/{a}/move", {})
    assert alice.titles() == ["c", "b", "a"]


def test_an_item_moves_to_another_list_of_its_workspace_only(alice: Person, bob: Person) -> None:
    item, other = alice.item("a")["id"], alice.new_list()
    moved = alice.post(f"/items/{item}/move", {"list_id": other})
    assert (moved.json["list_id"], alice.titles(), alice.titles(other)) == (other, [], ["a"])
    assert pointers(alice.post(f"/items/{item}/move", {"list_id": bob.inbox})) == ["/list_id"]


def test_a_neighbour_must_be_another_item_of_the_list(alice: Person, bob: Person) -> None:
    item, elsewhere = alice.item("a")["id"], alice.item("b", alice.new_list())["id"]
    for neighbour in (item, elsewhere, bob.item()["id"], str(uuid7())):
        assert pointers(alice.post(f"/items/{item}/move", {"after": neighbour})) == ["/after"]
    assert pointers(alice.post(f"/items/{item}/move", {"after": elsewhere, "before": elsewhere})) == [""]


def test_a_gap_that_is_halved_too_often_is_spread_out(alice: Person) -> None:
    first, *_ = (alice.item(str(number))["id"] for number in range(4))
    a, b = alice.item("a")["id"], alice.item("b")["id"]
    for turn in range(1300):
        moved = alice.post(f"/items/{(a, b)[turn % 2]}/move", {"after": first})
        assert len(moved.json["position"]) <= 100
    assert alice.titles() == ["0", "b", "a", "1", "2", "3"]


def test_completed_items_leave_the_page_and_come_back_when_reopened(alice: Person) -> None:
    item = alice.item("a")["id"]
    alice.item("b")
    done = alice.post(f"/items/{item}/complete").json
    assert done["completed_at"]
    assert alice.post(f"/items/{item}/complete").json["completed_at"] == done["completed_at"]
    assert (alice.titles(), alice.titles(query="&completed=true"), alice.titles(query="&completed=any")) == (
        ["b"],
        ["a"],
        ["a", "b"],
    )
    assert alice.post(f"/items/{item}/reopen").json["completed_at"] is None
    assert alice.titles() == ["a", "b"]


def test_a_deleted_item_is_gone_until_it_is_restored(alice: Person) -> None:
    item = alice.item("a")["id"]
    assert alice.delete(f"/items/{item}").status_code == 204
    problem(alice.get(f"/items/{item}"), 404, "not_found")
    problem(alice.delete(f"/items/{item}"), 404)
    problem(alice.patch(f"/items/{item}", {"title": "b"}), 404)
    problem(alice.post(f"/items/{item}/complete"), 404)
    assert alice.post(f"/items/{item}/restore").json["title"] == "a"
    assert alice.titles() == ["a"]
    problem(alice.post(f"/items/{item}/restore"), 404)


def test_items_of_a_deleted_list_are_hidden_until_it_is_restored(alice: Person) -> None:
    chores = alice.new_list()
    item = alice.item("a", chores)["id"]
    alice.delete(f"/lists/{chores}")
    problem(alice.get(f"/items/{item}"), 404)
    problem(alice.patch(f"/items/{item}", {"title": "b"}), 404)
    problem(alice.get(f"/lists/{chores}/items"), 404)
    alice.post(f"/lists/{chores}/restore")
    assert alice.titles(chores) == ["a"]
