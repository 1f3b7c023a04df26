"""Writes from many threads at once: order, revisions and tags stay whole."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text

from fastier.database import Database
from tests.api import Person


def _at_once(work: Callable[[int], object], times: int, threads: int = 8) -> None:
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, number) for number in range(times)]:
            done.result(timeout=60)


def test_concurrent_moves_keep_an_order(alice: Person, database: Database) -> None:
    ids = [alice.item(str(number))["id"] for number in range(12)]
    chance = random.Random(7)
    moves = [(*chance.sample(ids, 2), chance.choice(["before", "after"])) for _ in range(160)]

    def move(number: int) -> None:
        item, neighbour, side = moves[number]
        assert alice.post(f"/items/{item}/move", {side: neighbour}).status_code == 200

    _at_once(move, len(moves))
    page = alice.get(f"/lists/{alice.inbox}/items").json["data"]
    assert sorted(item["id"] for item in page) == sorted(ids)
    positions = [item["position"] for item in page]
    assert len(set(positions)) == len(positions)
    assert positions == sorted(positions)


def test_commit_order_is_revision_order(alice: Person, database: Database) -> None:
    before = alice.item()["revision"]
    _at_once(lambda number: alice.item(str(number)), 60)
    with database.reading() as connection:
        revisions = connection.execute(
            text("SELECT revision FROM items WHERE list_id = :list AND revision > :before ORDER BY revision"),
            {"list": alice.inbox, "before": before},
        ).scalars()
        assert list(revisions) == list(range(before + 1, before + 61))


def test_a_reader_who_has_seen_a_revision_misses_no_earlier_write(alice: Person, database: Database) -> None:
    """What a clock or a sequence would lose: a write that commits later with a smaller number."""
    seen: list[int] = []
    gaps: list[list[int]] = []

    def write_and_read(number: int) -> None:
        alice.item(str(number))
        with database.reading() as connection:
            rows = connection.execute(
                text("SELECT revision FROM items WHERE list_id = :list ORDER BY revision"),
                {"list": alice.inbox},
            )
            revisions = list(rows.scalars())
        seen.append(revisions[-1])
        if revisions != list(range(revisions[0], revisions[-1] + 1)):
            gaps.append(revisions)

    _at_once(write_and_read, 80)
    assert len(seen) == 80
    assert gaps == []


def test_one_new_tag_named_by_many_items_at_once_is_made_once(alice: Person) -> None:
    _at_once(lambda number: alice.item(str(number), tags=["Same", f"own-{number}"]), 40)
    names = [tag["name"] for tag in alice.get(f"/workspaces/{alice.workspace}/tags?limit=200").json["data"]]
    assert len(names) == 41
    items = alice.get(f"/lists/{alice.inbox}/items?limit=200").json["data"]
    assert all("Same" in item["tags"] and len(item["tags"]) == 2 for item in items)


def test_changes_that_name_one_revision_succeed_once(alice: Person) -> None:
    item = alice.item()
    etag = alice.get(f"/items/{item['id']}").headers["ETag"]
    answers: list[int] = []

    def change(number: int) -> None:
        body = {"title": str(number)}
        answers.append(alice.patch(f"/items/{item['id']}", body, headers={"If-Match": etag}).status_code)

    _at_once(change, 16)
    assert sorted(answers) == [200] + [412] * 15
