"""The trash of a workspace: what was deleted, latest first, until it is restored or purged."""

from collections.abc import Callable

import pytest

from fastier.database import Statistics
from tests.api import Person

SIZES = (100, 20_000)


def shown(person: Person, query: str = "") -> list[tuple[str, str]]:
    answer = person.get(f"/workspaces/{person.workspace}/trash{query}")
    assert answer.status_code == 200, answer.text
    return [(row["type"], row["name"]) for row in answer.json["data"]]


def test_everything_that_can_be_restored_is_shown_latest_first_until_it_is(alice: Person) -> None:
    item = alice.item("milk", tags=["shop"])
    comment = alice.post(f"/items/{item['id']}/comments", {"text": "two litres"}).json["id"]
    section = alice.post(f"/lists/{alice.inbox}/sections", {"name": "later"}).json["id"]
    other = alice.post(f"/workspaces/{alice.workspace}/lists", {"name": "garden"}).json["id"]
    tag = alice.get(f"/workspaces/{alice.workspace}/tags").json["data"][0]["id"]
    assert shown(alice) == []
    for path in (f"comments/{comment}", f"sections/{section}", f"tags/{tag}", f"items/{item['id']}", f"lists/{other}"):
        assert alice.delete(f"/{path}").status_code == 204
    expected = [("list", "garden"), ("item", "milk"), ("tag", "shop"), ("section", "later"), ("comment", "two litres")]
    assert shown(alice) == expected
    rows = alice.get(f"/workspaces/{alice.workspace}/trash").json["data"]
    assert (rows[1]["list_id"], rows[4]["item_id"]) == (alice.inbox, item["id"])
    assert alice.post(f"/items/{item['id']}/restore").status_code == 200
    assert shown(alice) == [row for row in expected if row[0] != "item"]


def test_pages_lead_on_and_the_total_counts_all(alice: Person) -> None:
    names = [f"item {number}" for number in range(7)]
    for name in names:
        alice.delete(f"/items/{alice.item(name)['id']}")
    found, cursor = [], ""
    while True:
        answer = alice.get(f"/workspaces/{alice.workspace}/trash?limit=3&include=total{cursor}").json
        found += [row["name"] for row in answer["data"]]
        assert answer["total"] == 7
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    assert found == names[::-1]


@pytest.mark.parametrize("items", SIZES)
def test_it_takes_at_most_three_statements_and_304_two(
    alice: Person, fill: Callable[[str, int], None], statements: Statistics, items: int
) -> None:
    fill(alice.inbox, items)
    alice.delete(f"/items/{alice.item('gone')['id']}")
    before = statements.statements
    answer = alice.get(f"/workspaces/{alice.workspace}/trash")
    assert 0 < statements.statements - before <= 3, statements.texts
    before = statements.statements
    again = alice.get(f"/workspaces/{alice.workspace}/trash", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert statements.statements - before <= 2, statements.texts


def test_a_stranger_sees_nothing_of_it(alice: Person, bob: Person) -> None:
    assert bob.get(f"/workspaces/{alice.workspace}/trash").status_code == 404
