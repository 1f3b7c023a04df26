"""What filters and searches cost: the statements, the same in a small workspace and in a large one."""

import time
from collections.abc import Callable

import pytest

from fastier.database import Statistics
from tests.api import Person

SIZES = (100, 100_000)
READS = (
    "/workspaces/{}/items",
    "/workspaces/{}/items?filter=@tag-1%20%26%20p4&sort=title&include=total",
    "/workspaces/{}/items?filter=subtask%20%26%20today%20%7C%20recurring&sort=-due",
    "/me/items?filter=no%20date%20%26%20assigned%20to:%20me",
    "/me/items?filter=!p1",
    "/workspaces/{}/search?q=item",
    "/workspaces/{}/search?q=it",
    "/workspaces/{}/search?q=itme%20%26%20@tag-3",
)


@pytest.fixture(scope="module", params=SIZES)
def carol(request: pytest.FixtureRequest, settle: Callable[[str], Person], fill: Callable[[str, int], None]) -> Person:
    person = settle(f"carol-{request.param}")
    fill(person.inbox, request.param)
    return person


@pytest.mark.parametrize("path", READS)
def test_a_read_takes_at_most_three_statements_and_304_two(carol: Person, statements: Statistics, path: str) -> None:
    path = path.format(carol.workspace)
    answer = carol.get(path)
    assert answer.status_code == 200, answer.text
    assert 0 < statements.statements <= 3, statements.texts
    before = statements.statements
    assert carol.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert statements.statements - before <= 2, statements.texts


def test_what_nothing_satisfies_reads_a_bounded_number_of_rows(carol: Person) -> None:
    """A page may end before its limit; then it says where to go on, and soon enough there is no more."""
    cursor, pages, began = "", 0, time.monotonic()
    while True:
        answer = carol.get(f"/workspaces/{carol.workspace}/items?filter=recurring{cursor}").json
        pages += 1
        assert answer["data"] == []
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    assert pages <= 21
    assert time.monotonic() - began < 20


def test_creating_an_item_with_tags_takes_at_most_four(carol: Person, statements: Statistics) -> None:
    carol.item("words of a new item", tags=["a", "b"])
    assert 0 < statements.statements <= 4, statements.texts
