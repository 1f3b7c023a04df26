"""Pages of items: keyset, totals, cursors and ETags."""

import pytest

from tests.api import Person, pointers, problem


def _pages(alice: Person, path: str) -> list[str]:
    titles, cursor = [], ""
    for _ in range(20):
        page = alice.get(f"{path}{cursor}")
        titles += [item["title"] for item in page.json["data"]]
        following = page.json["next_cursor"]
        assert ('rel="next"' in page.headers.get("Link", "")) == (following is not None)
        if following is None:
            return titles
        cursor = f"&cursor={following}"
    raise AssertionError("the pages do not end")


def test_pages_hold_every_item_once_and_in_order(alice: Person) -> None:
    for number in range(11):
        alice.item(str(number))
    expected = [str(number) for number in range(11)]
    for limit in (1, 3, 11, 12):
        assert _pages(alice, f"/lists/{alice.inbox}/items?limit={limit}") == expected


def test_pages_of_completed_items_are_latest_first(alice: Person) -> None:
    ids = [alice.item(str(number))["id"] for number in range(5)]
    for id in ids:
        alice.post(f"/items/{id}/complete")
    assert _pages(alice, f"/lists/{alice.inbox}/items?limit=2&completed=true") == ["4", "3", "2", "1", "0"]


def test_an_item_made_while_paging_disturbs_no_page(alice: Person) -> None:
    for number in range(4):
        alice.item(str(number))
    first = alice.get(f"/lists/{alice.inbox}/items?limit=2").json
    moved = alice.item("new")["id"]
    alice.post(f"/items/{moved}/move", {"before": first["data"][0]["id"]})
    second = alice.get(f"/lists/{alice.inbox}/items?limit=2&cursor={first['next_cursor']}").json
    assert [item["title"] for item in second["data"]] == ["2", "3"]


def test_the_total_comes_only_when_asked_for(alice: Person) -> None:
    for number in range(3):
        alice.item(str(number))
    assert "total" not in alice.get(f"/lists/{alice.inbox}/items?limit=1").json
    page = alice.get(f"/lists/{alice.inbox}/items?limit=1&include=total").json
    assert (page["total"], page["total_is_capped"]) == (3, False)


def test_a_total_past_the_cap_is_a_floor(alice: Person, fill: "Fill") -> None:  # noqa: F821
    fill(alice.inbox, 10_001)
    page = alice.get(f"/lists/{alice.inbox}/items?limit=1&include=total").json
    assert (page["total"], page["total_is_capped"]) == (10_000, True)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "limit=", "include=all", "completed=maybe", "page=2"]
)
def test_bad_parameters_are_pointed_at(alice: Person, query: str) -> None:
    name = query.partition("=")[0]
    assert pointers(alice.get(f"/lists/{alice.inbox}/items?{query}")) == [f"?{name}"]


def test_a_parameter_given_twice_is_refused(alice: Person) -> None:
    assert pointers(alice.get(f"/lists/{alice.inbox}/items?limit=1&limit=2")) == ["?limit"]


def test_a_cursor_of_another_list_or_made_by_hand_is_refused(alice: Person) -> None:
    for number in range(3):
        alice.item(str(number))
    cursor = alice.get(f"/lists/{alice.inbox}/items?limit=1").json["next_cursor"]
    for path in (
        f"/lists/{alice.inbox}/items?completed=true&cursor={cursor}",
        f"/lists/{alice.inbox}/items?cursor={cursor[:-2]}xx",
        f"/lists/{alice.inbox}/items?cursor=%00",
        f"/workspaces/{alice.workspace}/lists?cursor={cursor}",
    ):
        problem(alice.get(path), 400)


def test_an_unchanged_page_is_304(alice: Person) -> None:
    alice.item()
    page = alice.get(f"/lists/{alice.inbox}/items")
    etag = page.headers["ETag"]
    for sent in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        again = alice.get(f"/lists/{alice.inbox}/items", headers={"If-None-Match": sent})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
    alice.item()
    assert alice.get(f"/lists/{alice.inbox}/items", headers={"If-None-Match": etag}).status_code == 200


def test_if_match_guards_every_change(alice: Person) -> None:
    item = alice.item()
    etag = alice.get(f"/items/{item['id']}").headers["ETag"]
    changed = alice.patch(f"/items/{item['id']}", {"title": "b"}, headers={"If-Match": f"W/{etag}"})
    assert changed.status_code == 200
    problem(alice.patch(f"/items/{item['id']}", {"title": "c"}, headers={"If-Match": etag}), 412)
    problem(alice.delete(f"/items/{item['id']}", headers={"If-Match": etag}), 412)
    assert alice.get(f"/items/{item['id']}").json["title"] == "b"
    assert alice.delete(f"/items/{item['id']}", headers={"If-Match": changed.headers["ETag"]}).status_code == 204
