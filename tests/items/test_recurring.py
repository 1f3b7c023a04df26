"""Recurring items: what they need, and what completing them does."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.api import Person, pointers

DAILY = {"rrule": "FREQ=DAILY", "mode": "schedule"}
FAR = {"date": "2032-01-31"}


def test_a_recurrence_is_kept_as_it_was_sent(alice: Person) -> None:
    recurrence = {"rrule": "FREQ=MONTHLY;BYMONTHDAY=-1", "mode": "completion", "text": "every! last day"}
    made = alice.item("rent", due=FAR, recurrence=recurrence)
    assert made["recurrence"] == recurrence
    again = alice.item("x", due=FAR, recurrence={"rrule": "rrule:freq=daily"})["recurrence"]
    assert again == {"rrule": "FREQ=DAILY", "mode": "schedule", "text": None}


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"recurrence": DAILY}, "/recurrence"),
        ({"due": FAR, "recurrence": {"rrule": "FREQ=SECONDLY"}}, "/recurrence/rrule"),
        ({"due": FAR, "recurrence": {"rrule": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"}}, "/recurrence/rrule"),
        ({"due": FAR, "recurrence": {"mode": "schedule"}}, "/recurrence/rrule"),
        ({"due": FAR, "recurrence": {**DAILY, "mode": "never"}}, "/recurrence/mode"),
        ({"due": FAR, "recurrence": {**DAILY, "text": "x" * 201}}, "/recurrence/text"),
    ],
)
def test_a_recurrence_that_cannot_be_is_pointed_at(alice: Person, fields: dict[str, Any], pointer: str) -> None:
    assert pointers(alice.post(f"/lists/{alice.inbox}/items", {"title": "x", **fields})) == [pointer]


def test_a_patch_changes_parts_of_a_recurrence(alice: Person) -> None:
    made = alice.item("x", due=FAR, recurrence={**DAILY, "text": "every day"})
    path = f"/items/{made['id']}"
    assert alice.patch(path, {"recurrence": {"mode": "completion"}}).json["recurrence"] == {
        "rrule": "FREQ=DAILY",
        "mode": "completion",
        "text": "every day",
    }
    weekly = alice.patch(path, {"recurrence": {"rrule": "FREQ=WEEKLY"}}).json["recurrence"]
    assert weekly == {"rrule": "FREQ=WEEKLY", "mode": "completion", "text": None}
    assert pointers(alice.patch(path, {"due": None, "recurrence": DAILY})) == ["/recurrence"]
    assert pointers(alice.patch(path, {"recurrence": {"rrule": None}})) == ["/recurrence/rrule"]
    gone = alice.patch(path, {"due": None}).json
    assert (gone["due"], gone["recurrence"]) == (None, None)
    assert pointers(alice.patch(path, {"recurrence": {"mode": "completion"}})) == ["/recurrence/rrule"]
    back = alice.patch(path, {"due": FAR, "recurrence": DAILY}).json
    assert alice.patch(path, {"recurrence": None}).json["due"] == back["due"]


def test_a_date_on_which_the_rule_never_falls_is_refused(alice: Person) -> None:
    made = alice.item("x", due={"date": "2032-01-05"}, recurrence={"rrule": "FREQ=DAILY;INTERVAL=7;BYDAY=MO"})
    assert pointers(alice.patch(f"/items/{made['id']}", {"due": {"date": "2032-01-06"}})) == ["/recurrence/rrule"]


def test_completing_moves_to_the_next_date_and_leaves_the_item_open(alice: Person) -> None:
    due = {"date": "2032-03-27", "time": "02:30", "timezone": "Europe/Berlin"}
    made = alice.item("x", due=due, recurrence=DAILY, tags=["a"])
    for expected in ("2032-03-28", "2032-03-29"):
        moved = alice.post(f"/items/{made['id']}/complete").json
        assert (moved["completed_at"], moved["due"], moved["tags"]) == (None, {**due, "date": expected}, ["a"])
    assert alice.titles() == ["x"]
    kinds = [line["kind"] for line in alice.get(f"/items/{made['id']}/activity").json["data"]]
    assert kinds.count("item.completed") == 2


def test_a_rule_that_is_used_up_ends_with_the_item_done(alice: Person) -> None:
    item = alice.item("x", due=FAR, recurrence={"rrule": "FREQ=DAILY;COUNT=2"})["id"]
    moved = alice.post(f"/items/{item}/complete").json
    assert (moved["due"]["date"], moved["recurrence"]["rrule"]) == ("2032-02-01", "FREQ=DAILY;COUNT=1")
    done = alice.post(f"/items/{item}/complete").json
    assert done["completed_at"]
    assert done["due"]["date"] == "2032-02-01"
    assert alice.post(f"/items/{item}/complete").json["completed_at"] == done["completed_at"]
    until = alice.item("y", due=FAR, recurrence={"rrule": "FREQ=DAILY;UNTIL=20320131"})["id"]
    assert alice.post(f"/items/{until}/complete").json["completed_at"]


def test_today_is_the_one_of_whoever_completes_it(alice: Person) -> None:
    late = (datetime.now(UTC) - timedelta(days=30)).date().isoformat()
    for zone in ("Pacific/Kiritimati", "Pacific/Niue"):
        alice.patch("/me", {"timezone": zone})
        item = alice.item("x", due={"date": late}, recurrence=DAILY)["id"]
        before = datetime.now(ZoneInfo(zone)).date()
        moved = alice.post(f"/items/{item}/complete").json["due"]["date"]
        after = datetime.now(ZoneInfo(zone)).date()
        assert date.fromisoformat(moved) - timedelta(days=1) in (before, after)


def test_the_subtasks_of_a_recurring_item_are_open_anew(alice: Person) -> None:
    parent = alice.item("pack", due=FAR, recurrence=DAILY)["id"]
    done, _ = (alice.item(title, parent_id=parent)["id"] for title in ("socks", "shirt"))
    alice.post(f"/items/{done}/complete")
    assert alice.titles() == ["pack", "shirt"]
    alice.post(f"/items/{parent}/complete")
    assert alice.titles() == ["pack", "socks", "shirt"]


def test_the_end_of_the_calendar_is_an_end(alice: Person) -> None:
    item = alice.item("x", due={"date": "9999-12-31"}, recurrence=DAILY)["id"]
    assert alice.post(f"/items/{item}/complete").json["completed_at"]
    first = alice.item("y", due={"date": "0001-01-01"}, recurrence={"rrule": "FREQ=WEEKLY;WKST=SU"})["id"]
    assert alice.post(f"/items/{first}/complete").json["completed_at"] is None
