"""Activity: every write leaves one line with its revision, and every refused or repeated one leaves none."""

from typing import Any

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from fastier.activity import queries
from fastier.database import Database, Statistics
from fastier.services import Services
from fastier.trash import purging
from tests.api import Person, problem
from tests.joining import join, shared_workspace
from tests.test_rights import TABLE, World, world

__all__ = ["world"]

# Writes to a workspace's content, as its owner; of others nothing is told.
_WRITES = [
    route
    for route in TABLE
    if not route.startswith("GET") and "{" in route and not any(word in route for word in ("/tokens/", "/sessions/"))
]


def _lines(person: Person, workspace: str) -> list[dict[str, Any]]:
    response = person.get(f"/workspaces/{workspace}/activity?limit=200")
    assert response.status_code == 200, response.text
    lines: list[dict[str, Any]] = response.json["data"]
    return lines


def _told(database: Database, workspace: str) -> list[tuple[int, str]]:
    with database.reading() as connection:
        rows = connection.execute(
            text("SELECT revision, kind FROM activities WHERE workspace_id = :id ORDER BY id"), {"id": workspace}
        )
        return [(row.revision, row.kind) for row in rows]


def _revision(database: Database, workspace: str) -> int:
    with database.reading() as connection:
        return int(
            connection.execute(text("SELECT revision FROM workspaces WHERE id = :id"), {"id": workspace}).scalar_one()
        )


@pytest.mark.parametrize("route", _WRITES)
def test_every_write_leaves_one_line(world: World, database: Database, route: str) -> None:
    workspace, method = world.ids["workspace_id"], route.partition(" ")[0]
    owner, editor = world.owner, world.askers["editor"]
    asker = editor if route == "PATCH /comments/{comment_id}" else owner
    if route.endswith("/restore"):
        assert owner.delete(world.path(route).removesuffix("/restore")).status_code == 204
    if route == "POST /attachments/{attachment_id}/complete":
        body = owner.announce(world.ids["item_id"], b"more")
        owner.send(body["upload"], b"more")
        world.ids["attachment_id"] = body["attachment"]["id"]
    before = _told(database, workspace)
    response = asker.call(method, world.path(route), TABLE[route][0])
    assert response.status_code < 300, response.text
    after = _told(database, workspace)
    assert after[:-1] == before, "exactly one line is added"
    assert after[-1][0] == _revision(database, workspace)
    assert after[-1][1].partition(".")[0] in route


@pytest.mark.parametrize("route", _WRITES)
def test_a_refused_write_leaves_no_line(world: World, database: Database, route: str) -> None:
    workspace, method = world.ids["workspace_id"], route.partition(" ")[0]
    before = _told(database, workspace)
    response = world.askers["stranger"].call(method, world.path(route), TABLE[route][0])
    problem(response, 404)
    assert _told(database, workspace) == before


def test_the_lines_say_who_did_what_to_which_item(alice: Person, bob: Person, services: Services) -> None:
    team = shared_workspace(alice)
    join(services, alice, team, bob, "editor")
    list_id = alice.post(f"/workspaces/{team}/lists", {"name": "l"}).json["id"]
    item = bob.item("milk", list_id)["id"]
    bob.patch(f"/items/{item}", {"title": "oat milk", "priority": 1})
    comment = bob.post(f"/items/{item}/comments", {"text": "secret"}).json["id"]
    alice.post(f"/items/{item}/complete")
    lines = _lines(bob, team)
    assert [(line["actor_name"], line["kind"], line["item_title"], line["data"]) for line in lines] == [
        ("alice", "item.completed", "oat milk", None),
        ("bob", "comment.created", "oat milk", None),
        ("bob", "item.changed", "oat milk", {"fields": ["priority", "title"]}),
        ("bob", "item.created", "oat milk", None),
        ("alice", "list.created", None, None),
        ("bob", "member.joined", None, None),
        ("alice", "invitation.created", None, {"role": "editor"}),
        ("alice", "workspace.created", None, None),
    ]
    assert [line["subject_id"] for line in lines[:5]] == [item, comment, item, item, list_id]
    assert [line["revision"] for line in lines] == sorted((line["revision"] for line in lines), reverse=True)
    of_item = bob.get(f"/items/{item}/activity").json["data"]
    assert of_item == lines[:4]


def test_neither_addresses_nor_words_are_told(alice: Person, bob: Person, services: Services) -> None:
    team = shared_workspace(alice)
    join(services, alice, team, bob)
    text_of_lines = str(_lines(alice, team))
    assert bob.email not in text_of_lines


def test_pages_follow_each_other_latest_first(alice: Person) -> None:
    item = alice.item()["id"]
    for number in range(6):
        alice.patch(f"/items/{item}", {"title": str(number)})
    for path in (f"/workspaces/{alice.workspace}/activity", f"/items/{item}/activity"):
        whole = alice.get(f"{path}?limit=200&include=total").json
        ids, cursor = [], ""
        while cursor is not None:
            page = alice.get(f"{path}?limit=3{cursor and '&cursor=' + cursor}").json
            ids += [line["id"] for line in page["data"]]
            cursor = page["next_cursor"]
        assert ids == [line["id"] for line in whole["data"]] == sorted(ids, reverse=True)
        assert whole["total"] == len(ids)
    other = alice.get(f"/items/{item}/activity?limit=1").json["next_cursor"]
    problem(alice.get(f"/workspaces/{alice.workspace}/activity?cursor={other}"), 400, "bad_cursor")


def test_a_repeated_create_and_a_replayed_key_leave_one_line(alice: Person, database: Database) -> None:
    id = str(uuid7())
    for _ in range(2):
        assert alice.post(f"/lists/{alice.inbox}/items", {"title": "x", "id": id}).status_code == 201
    item = alice.item()["id"]
    before = len(_told(database, alice.workspace))
    for _ in range(2):
        answer = alice.post(f"/items/{item}/complete", headers={"Idempotency-Key": id})
        assert answer.status_code == 200
    stale = alice.patch(f"/items/{item}", {"title": "y"}, headers={"If-Match": '"0"'})
    problem(stale, 412)
    after = _told(database, alice.workspace)
    assert len(after) == before + 1
    assert [kind for _, kind in after].count("item.created") == 2


def test_what_was_done_to_a_purged_item_is_still_told(alice: Person, services: Services, database: Database) -> None:
    item = alice.item("gone soon")["id"]
    alice.delete(f"/items/{item}")
    with database.transaction() as connection:
        connection.execute(
            text("UPDATE items SET deleted_at = now() - interval '31 days' WHERE id = :id"), {"id": item}
        )
    purging.purge(services, {})
    [line] = [line for line in _lines(alice, alice.workspace) if line["kind"] == "item.deleted"]
    assert (line["item_id"], line["item_title"]) == (item, None)


def test_lines_go_after_a_year_in_batches(alice: Person, database: Database) -> None:
    for number in range(3):
        alice.item(str(number))
    with database.transaction() as connection:
        connection.execute(
            text(
                """UPDATE activities SET at = now() - interval '366 days'
                WHERE workspace_id = :id AND kind = 'item.created'"""
            ),
            {"id": alice.workspace},
        )
    assert len(_lines(alice, alice.workspace)) == 4
    with database.transaction() as connection:
        assert queries.purge(connection, 2) == 2
    with database.transaction() as connection:
        assert queries.purge(connection, 1000) >= 1
    assert [line["kind"] for line in _lines(alice, alice.workspace)] == ["workspace.created"]


@pytest.mark.parametrize("count", [100, 20_000])
def test_a_page_takes_three_statements_at_any_size(
    alice: Person, database: Database, statements: Statistics, count: int
) -> None:
    item = alice.item()["id"]
    with database.transaction() as connection:
        connection.execute(
            text(
                """INSERT INTO activities (workspace_id, revision, actor_id, kind, subject_id, item_id)
                SELECT :workspace, 1, :alice, 'item.changed', :item, :item FROM generate_series(1, :count)"""
            ),
            {"workspace": alice.workspace, "alice": alice.user_id, "item": item, "count": count},
        )
    for path in (f"/workspaces/{alice.workspace}/activity", f"/items/{item}/activity"):
        before = statements.statements
        page = alice.get(path)
        assert len(page.json["data"]) == 50
        assert 0 < statements.statements - before <= 3, statements.texts
        before = statements.statements
        assert alice.get(path, headers={"If-None-Match": page.headers["ETag"]}).status_code == 304
        assert statements.statements - before <= 2, statements.texts


def test_a_write_costs_no_statement_for_its_line(alice: Person, statements: Statistics) -> None:
    item = alice.item()["id"]
    before = len(statements.texts or [])
    alice.post(f"/items/{item}/complete")
    written = (statements.texts or [])[before:]
    assert len(written) <= 3
    assert [
        statement for statement in written if "INSERT INTO activities" in statement and "UPDATE workspaces" in statement
    ]
