"""Filters over HTTP: what they find, in which order, page by page."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastier.database import Database
from tests.api import Person, pointers, problem


def found(person: Person, filter: str, sort: str = "created", path: str | None = None) -> list[str]:
    path = path or f"/workspaces/{person.workspace}/items"
    response = person.get(f"{path}?limit=200&sort={sort}&filter={quote(filter)}")
    assert response.status_code == 200, response.text
    assert response.json["next_cursor"] is None
    return [item["title"] for item in response.json["data"]]


def day(offset: int) -> str:
    return str(datetime.now(UTC).date() + timedelta(days=offset))


@pytest.fixture
def anna(settle: Callable[[str], Person]) -> Person:
    """Somebody with a few items of each kind."""
    person = settle("anna")
    shopping = person.new_list("Shopping & more")
    person.item("milk", shopping, due={"date": day(0)}, priority=1, tags=["Food"])
    person.item("bread", shopping, due={"date": day(1)}, tags=["Food", "waiting for"])
    person.item("invoice", due={"date": day(-3)}, priority=2, notes="for the milkman")
    person.item("someday")
    done = person.item("paid", priority=1)
    person.post(f"/items/{done['id']}/complete")
    return person


@pytest.mark.parametrize(
    ("filter", "titles"),
    [
        ("", ["milk", "bread", "invoice", "someday"]),
        ("today", ["milk"]),
        ("tomorrow", ["bread"]),
        ("overdue", ["invoice"]),
        ("7 days", ["milk", "bread"]),
        ("no date", ["someday"]),
        (f"due before: {day(1)}", ["milk", "invoice"]),
        (f"due after: {day(0)}", ["bread"]),
        (f"due before: {day(1)} | due after: {day(-1)}", ["milk", "bread", "invoice"]),
        ("overdue | due after: yesterday", ["milk", "bread", "invoice"]),
        ("!(overdue | due after: yesterday)", ["someday"]),
        ("p1", ["milk"]),
        ("p1 & done", ["paid"]),
        ("p1 & all", ["milk", "paid"]),
        ("no priority", ["bread", "someday"]),
        ("@food", ["milk", "bread"]),
        ("@food & !p1", ["bread"]),
        ("@Waiting\\ for", ["bread"]),
        ('@"waiting for" | overdue', ["bread", "invoice"]),
        ("@wait*", ["bread"]),
        ("@nothing", []),
        ("no labels", ["invoice", "someday"]),
        ('#"shopping & more"', ["milk", "bread"]),
        ("#inbox", ["invoice", "someday"]),
        ("search: milk", ["milk", "invoice"]),
        ("search: MILK & overdue", ["invoice"]),
        ("!(today | tomorrow)", ["invoice", "someday"]),
        ("(p1 | p2) today", ["milk"]),
        ("assigned", []),
        ("!assigned & p2", ["invoice"]),
        ("subtask | recurring", []),
        (f"created before: {day(0)}", []),
        ("created: today & p1", ["milk"]),
        ("/somewhere", []),
    ],
)
def test_a_filter_finds_what_it_says(anna: Person, filter: str, titles: list[str]) -> None:
    assert found(anna, filter) == titles
    assert found(anna, filter, path="/me/items") == titles


@pytest.mark.parametrize(
    ("sort", "titles"),
    [
        ("due", ["invoice", "milk", "bread", "someday"]),
        ("-due", ["someday", "bread", "milk", "invoice"]),
        ("priority", ["milk", "invoice", "bread", "someday"]),
        ("-created", ["someday", "invoice", "bread", "milk"]),
        ("title", ["bread", "invoice", "milk", "someday"]),
        ("-title", ["someday", "milk", "invoice", "bread"]),
        ("updated", ["milk", "bread", "invoice", "someday"]),
    ],
)
@pytest.mark.parametrize("filter", ["", "no priority | p1 | p2"])
def test_each_order_is_the_same_in_pages_of_any_size(anna: Person, sort: str, titles: list[str], filter: str) -> None:
    for path in (f"/workspaces/{anna.workspace}/items", "/me/items"):
        for limit in (1, 3, 5):
            assert pages(anna, f"{path}?sort={sort}&limit={limit}&filter={quote(filter)}") == titles


def pages(person: Person, path: str) -> list[str]:
    titles, cursor = [], ""
    for _ in range(100):
        page = person.get(path + cursor)
        assert page.status_code == 200, page.text
        titles += [item["title"] for item in page.json["data"]]
        if page.json["next_cursor"] is None:
            return titles
        cursor = f"&cursor={page.json['next_cursor']}"
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("items?filter=p1%20%26", "?filter"),
        ("items?filter=" + "x" * 1001, "?filter"),
        ("items?sort=position", "?sort"),
        ("items?limit=0", "?limit"),
        ("search?q=(milk", "?q"),
        ("search?q=", "?q"),
        ("search?q=%20", "?q"),
        ("search", "?q"),
        ("search?q=a&cursor=x", "?cursor"),
    ],
)
def test_a_fault_is_pointed_at(anna: Person, path: str, pointer: str) -> None:
    assert pointers(anna.get(f"/workspaces/{anna.workspace}/{path}")) == [pointer]


def test_a_fault_in_a_filter_names_the_column(anna: Person) -> None:
    answer = problem(anna.get(f"/workspaces/{anna.workspace}/items?filter=p1%20%26%20soon"), 422, "bad_filter")
    assert answer["detail"].startswith('Column 6: "soon" is no term.')


def test_an_answer_is_right_until_a_write_or_midnight(anna: Person) -> None:
    for path in (f"/workspaces/{anna.workspace}/items?filter=today", "/me/items?filter=today"):
        etag = anna.get(path).headers["ETag"]
        assert anna.get(path, headers={"If-None-Match": etag}).status_code == 304
        assert day(0) in etag
        timeless = anna.get(path.replace("today", "p1")).headers["ETag"]
        assert day(0) not in timeless
        anna.item()
        assert anna.get(path, headers={"If-None-Match": etag}).status_code == 200


def test_items_of_a_deleted_list_are_found_by_nothing(anna: Person) -> None:
    there = anna.new_list("Attic")
    anna.item("lamp", there, priority=3)
    assert found(anna, "p3") == ["lamp"]
    anna.delete(f"/lists/{there}")
    assert found(anna, "p3") == found(anna, "search: lamp") == found(anna, "#attic") == []


def test_nothing_of_other_workspaces_is_found(anna: Person, bob: Person) -> None:
    bob.item("milk of bob", tags=["Food"], priority=1, due={"date": day(0)})
    for filter in ("@food", "p1", "today", "search: milk", "all"):
        assert "milk of bob" not in found(anna, filter) + found(anna, filter, path="/me/items")
    problem(anna.get(f"/workspaces/{bob.workspace}/items"), 404)
    problem(anna.get(f"/workspaces/{bob.workspace}/search?q=milk"), 404)


def test_a_cursor_of_another_filter_or_order_is_refused(anna: Person) -> None:
    path = f"/workspaces/{anna.workspace}/items?limit=1"
    cursor = anna.get(path).json["next_cursor"]
    for other in ("&filter=p1", "&sort=title"):
        problem(anna.get(f"{path}{other}&cursor={cursor}"), 400, "bad_cursor")


def test_the_total_comes_only_when_asked_for(anna: Person) -> None:
    path = f"/workspaces/{anna.workspace}/items?limit=1&filter="
    assert "total" not in anna.get(path + "p1").json
    for filter, total in (("p1", 1), ("all", 5), ("no%20date%20%7C%20p2", 2)):
        answer = anna.get(f"{path}{filter}&include=total").json
        assert (answer["total"], answer["total_is_capped"]) == (total, False)


def test_a_person_with_many_workspaces_has_one_today(settle: Callable[[str], Person], database: Database) -> None:
    person = settle("busy")
    for number in range(30):
        workspace = person.post("/workspaces", {"name": str(number)}).json["id"]
        there = person.post(f"/workspaces/{workspace}/lists", {"name": "list"}).json["id"]
        person.item(f"{number:02}", there, due={"date": day(0)})
        person.item("later", there, due={"date": day(9)})
    expected = [f"{number:02}" for number in range(30)]
    assert pages(person, "/me/items?filter=today&sort=title&limit=7") == expected
    assert pages(person, "/me/items?sort=due&limit=7")[30:] == ["later"] * 30


def test_each_viewer_has_their_own_today(anna: Person, database: Database) -> None:
    """On the island where a day begins first it is never the day of the island where it begins last."""
    dates = []
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        assert anna.patch("/me", {"timezone": zone}).status_code == 200
        dates.append(anna.get("/me/items?filter=today").headers["ETag"][-11:-1])
    assert dates[0] > dates[1]


_PIECES = st.sampled_from([
    "today", "p1", "@*", "@%_*", "#*x", "/\\", '"', '" "', "&", "|", "!", "(", ")", "\\", "search: ä*", "done", "all",
    "9999 days", "-9999 days", "due: -9999 days", "due before: 0001-01-01", "due after: 9999-12-31", "no date",
    "created: 0001-01-01", "created after: 9999-12-31", "assigned to: '; DROP TABLE items; --", "%(x)s", ":name",
    "é", "漢字", "🛒", "ﬁ", "\u200d",
])  # fmt: skip


@given(pieces=st.lists(st.one_of(_PIECES, st.text(max_size=5)), max_size=8), sort=st.sampled_from(["due", "-title"]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_breaks_a_filter_or_a_search(alice: Person, pieces: list[str], sort: str) -> None:
    written = quote(" ".join(pieces), errors="replace")
    for path in (
        f"/workspaces/{alice.workspace}/items?include=total&sort={sort}&filter={written}",
        f"/me/items?sort={sort}&filter={written}",
        f"/workspaces/{alice.workspace}/search?q={written}",
    ):
        assert alice.get(path).status_code in (200, 400, 422)
