"""Search over HTTP: words, beginnings and typos, the likeliest first."""

from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.api import Person


def search(person: Person, q: str, limit: int = 50) -> list[str]:
    response = person.get(f"/workspaces/{person.workspace}/search?limit={limit}&q={quote(q)}")
    assert response.status_code == 200, response.text
    assert response.json["next_cursor"] is None
    return [item["title"] for item in response.json["data"]]


@pytest.fixture
def clara(settle: Callable[[str], Person]) -> Person:
    person = settle("clara")
    for title, notes in (
        ("Pay the invoice", ""),
        ("Invoices of June", ""),
        ("Call the bank", "about the invoice"),
        ("Accommodation in Łódź", "Café at the corner"),
        ("Nothing of it", ""),
    ):
        person.item(title, notes=notes, tags=["work"] if "June" in title else [])
    return person


@pytest.mark.parametrize(
    ("q", "titles"),
    [
        ("invoice", ["Pay the invoice", "Invoices of June", "Call the bank"]),
        ("INVOICE", ["Pay the invoice", "Invoices of June", "Call the bank"]),
        ("invo", ["Invoices of June", "Pay the invoice", "Call the bank"]),
        ("in", ["Accommodation in Łódź", "Invoices of June", "Pay the invoice", "Call the bank"]),
        ("invioce", ["Pay the invoice", "Call the bank"]),
        ("acomodation", ["Accommodation in Łódź"]),
        ("clal", ["Call the bank"]),
        ("cafe", ["Accommodation in Łódź"]),
        ("pay invoice", ["Pay the invoice"]),
        ("invoice & @work", ["Invoices of June"]),
        ("invoice !june", ["Pay the invoice", "Call the bank"]),
        ("june | bank", ["Call the bank", "Invoices of June"]),
        ("@work", ["Invoices of June"]),
        ("zebra", []),
        ("pay zebra", []),
    ],
)
def test_what_is_looked_for_is_found_in_order(clara: Person, q: str, titles: list[str]) -> None:
    assert search(clara, q) == titles


def test_open_items_come_before_completed_ones(clara: Person) -> None:
    done = clara.item("Pay the invoice again")
    clara.post(f"/items/{done['id']}/complete")
    assert search(clara, "pay") == ["Pay the invoice", "Pay the invoice again"]
    assert search(clara, "pay !done") == search(clara, "pay & !done") == ["Pay the invoice"]
    assert search(clara, "pay & done") == ["Pay the invoice again"]


def test_a_changed_title_is_found_by_its_new_words_only(clara: Person) -> None:
    item = clara.item("zebra")
    clara.patch(f"/items/{item['id']}", {"title": "giraffe", "notes": "stripes"})
    assert search(clara, "zebra") == []
    assert search(clara, "giraffe") == search(clara, "stripes") == ["giraffe"]
    clara.delete(f"/items/{item['id']}")
    assert search(clara, "giraffe") == []
    clara.post(f"/items/{item['id']}/restore")
    assert search(clara, "giraffe") == ["giraffe"]


def test_the_limit_keeps_the_best(clara: Person) -> None:
    assert search(clara, "invoice", limit=1) == ["Pay the invoice"]


def test_a_word_that_is_everywhere_is_found_in_the_newest(clara: Person, fill: Callable[[str, int], None]) -> None:
    fill(clara.inbox, 6000)
    clara.item("the newest item")
    found = search(clara, "item", limit=10)
    assert found[0] == "the newest item"
    assert len(found) == 10
    assert search(clara, "item 4711") == ["item 4711"]


def test_no_workspace_finds_by_the_words_of_another(clara: Person, bob: Person) -> None:
    bob.item("xylophone")
    assert search(clara, "xylophone") == search(clara, "xylophnoe") == search(clara, "xylo") == []
    assert search(bob, "xylophnoe") == ["xylophone"]
