"""Comments: written, changed by their author, deleted and restored, counted at their item."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from fastier.database import Database, Statistics
from fastier.services import Services
from fastier.trash import purging
from tests.api import Person, pointers, problem
from tests.joining import join, shared_workspace


def _say(person: Person, item: str, words: str = "Hello") -> str:
    response = person.post(f"/items/{item}/comments", {"text": words})
    assert response.status_code == 201, response.text
    return str(response.json["id"])


def _count(person: Person, item: str) -> tuple[int, int]:
    """What the item says, and how many comments can be read."""
    shown = person.get(f"/items/{item}").json["comment_count"]
    return shown, len(person.get(f"/items/{item}/comments?limit=200").json["data"])


def test_a_comment_is_written_and_counted(alice: Person) -> None:
    item = alice.item()
    made = alice.post(f"/items/{item['id']}/comments", {"text": "first\n  second line "})
    assert made.status_code == 201
    assert (made.json["text"], made.json["author_id"], made.json["author_name"]) == (
        "first\n  second line ",
        alice.user_id,
        "alice",
    )
    assert made.headers["ETag"] == f'"{made.json["revision"]}"'
    after = alice.get(f"/items/{item['id']}").json
    assert (after["comment_count"], after["revision"]) == (1, made.json["revision"])
    assert alice.get(f"/items/{item['id']}/comments").json["data"] == [made.json]


def test_comments_come_oldest_first_in_pages(alice: Person) -> None:
    item = alice.item()["id"]
    ids = [_say(alice, item, str(number)) for number in range(5)]
    first = alice.get(f"/items/{item}/comments?limit=3&include=total").json
    second = alice.get(f"/items/{item}/comments?limit=3&cursor={first['next_cursor']}").json
    assert [each["id"] for each in first["data"] + second["data"]] == ids
    assert (first["total"], second["next_cursor"]) == (5, None)


@pytest.mark.parametrize("body", [{"text": ""}, {"text": " \n "}, {"text": "x" * 20_001}, {"text": None}, {}])
def test_a_comment_that_says_nothing_or_too_much_is_refused(alice: Person, body: dict[str, str]) -> None:
    item = alice.item()["id"]
    assert pointers(alice.post(f"/items/{item}/comments", body)) == ["/text"]


def test_only_the_author_changes_a_comment(alice: Person, bob: Person, services: Services) -> None:
    team = shared_workspace(alice)
    join(services, alice, team, bob)
    item = alice.item(list_id=alice.post(f"/workspaces/{team}/lists", {"name": "l"}).json["id"])["id"]
    comment = _say(bob, item)
    problem(alice.patch(f"/comments/{comment}", {"text": "put into his mouth"}), 403, "not_author")
    changed = bob.patch(f"/comments/{comment}", {"text": "Better"})
    assert (changed.status_code, changed.json["text"]) == (200, "Better")
    stale = bob.patch(f"/comments/{comment}", {"text": "lost"}, headers={"If-Match": '"1"'})
    problem(stale, 412, "precondition_failed")
    of_owner = _say(alice, item)
    problem(bob.delete(f"/comments/{of_owner}"), 403, "not_author")
    assert alice.delete(f"/comments/{comment}").status_code == 204


def test_a_deleted_comment_is_restored(alice: Person) -> None:
    item = alice.item()["id"]
    comment = _say(alice, item)
    assert alice.delete(f"/comments/{comment}").status_code == 204
    assert _count(alice, item) == (0, 0)
    problem(alice.delete(f"/comments/{comment}"), 404)
    problem(alice.patch(f"/comments/{comment}", {"text": "x"}), 404)
    restored = alice.post(f"/comments/{comment}/restore")
    assert (restored.status_code, restored.json["text"]) == (200, "Hello")
    assert _count(alice, item) == (1, 1)
    problem(alice.post(f"/comments/{comment}/restore"), 404)


def test_comments_are_hidden_with_their_item_and_list(alice: Person) -> None:
    list_id = alice.new_list()
    item = alice.item(list_id=list_id)["id"]
    comment = _say(alice, item)
    for path in (f"/items/{item}", f"/lists/{list_id}"):
        assert alice.delete(path).status_code == 204
        problem(alice.get(f"/items/{item}/comments"), 404)
        problem(alice.patch(f"/comments/{comment}", {"text": "x"}), 404)
        problem(alice.delete(f"/comments/{comment}"), 404)
        assert alice.post(f"{path}/restore").status_code == 200
    assert _count(alice, item) == (1, 1)


def test_an_id_of_ones_own_gives_the_first_comment_again(alice: Person, bob: Person) -> None:
    item, id = alice.item()["id"], str(uuid7())
    first = alice.post(f"/items/{item}/comments", {"text": "once", "id": id})
    again = alice.post(f"/items/{item}/comments", {"text": "twice", "id": id})
    assert (again.status_code, again.json) == (201, first.json)
    assert _count(alice, item) == (1, 1)
    problem(bob.post(f"/items/{bob.item()['id']}/comments", {"text": "x", "id": id}), 409, "id_in_use")


def test_many_comments_at_once_are_all_counted(alice: Person) -> None:
    item = alice.item()["id"]

    def say_and_take_back(number: int) -> None:
        comment = _say(alice, item, str(number))
        if number % 3 == 0:
            assert alice.delete(f"/comments/{comment}").status_code == 204

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(say_and_take_back, number) for number in range(30)]:
            done.result(timeout=60)
    assert _count(alice, item) == (20, 20)


def test_a_page_takes_three_statements_and_a_comment_no_more(alice: Person, statements: Statistics) -> None:
    item = alice.item()["id"]
    for number in range(3):
        before = statements.statements
        _say(alice, item, str(number))
        assert statements.statements - before <= 3, statements.texts
    before = statements.statements
    etag = alice.get(f"/items/{item}/comments").headers["ETag"]
    assert statements.statements - before <= 3, statements.texts
    before = statements.statements
    assert alice.get(f"/items/{item}/comments", headers={"If-None-Match": etag}).status_code == 304
    assert statements.statements - before <= 2, statements.texts


def test_deleted_comments_are_purged_after_a_month(alice: Person, services: Services, database: Database) -> None:
    item = alice.item()["id"]
    old, young, kept = (_say(alice, item) for _ in range(3))
    for comment in (old, young):
        alice.delete(f"/comments/{comment}")
    with database.transaction() as connection:
        connection.execute(
            text("UPDATE comments SET deleted_at = deleted_at - interval '31 days' WHERE id = :id"), {"id": old}
        )
    purging.purge(services, {})
    with database.reading() as connection:
        left = connection.execute(text("SELECT id::text FROM comments WHERE item_id = :item"), {"item": item})
        assert set(left.scalars()) == {young, kept}
