"""Sync: a client that knows only what it is told has what the server has."""

import random
from collections.abc import Callable

import pytest
from sqlalchemy import text

from fastier.database import Database, Statistics
from fastier.sync.queries import KEPT_DAYS
from fastier.trash import purging
from tests.api import Person, problem
from tests.sync.client import Replica, state

Edit = Callable[[random.Random, Person, "World"], object]


class World:
    """Ids that edits choose from; what they name may be deleted by then, and that is part of the game."""

    def __init__(self, person: Person, workspace: str) -> None:
        self.workspace = workspace
        self.lists = [person.post(f"/workspaces/{workspace}/lists", {"name": "first"}).json["id"]]
        self.items: list[str] = []
        self.tags: list[str] = []
        self.comments: list[str] = []


def _create_list(r: random.Random, person: Person, world: World) -> None:
    made = person.post(f"/workspaces/{world.workspace}/lists", {"name": f"list {r.random()}"})
    world.lists.append(made.json["id"])


def _create_item(r: random.Random, person: Person, world: World) -> None:
    tags = r.sample(["red", "green", "blue", "new"], r.randint(0, 2))
    made = person.post(f"/lists/{r.choice(world.lists)}/items", {"title": f"item {r.random()}", "tags": tags})
    if made.status_code == 201:
        world.items.append(made.json["id"])


def _comment(r: random.Random, person: Person, world: World) -> None:
    made = person.post(f"/items/{r.choice(world.items)}/comments", {"text": "so it is"})
    if made.status_code == 201:
        world.comments.append(made.json["id"])


def _rename_tag(r: random.Random, person: Person, world: World) -> None:
    tags = [tag["id"] for tag in person.get(f"/workspaces/{world.workspace}/tags").json["data"]]
    world.tags = sorted({*world.tags, *tags})
    if tags:
        person.patch(f"/tags/{r.choice(tags)}", {"name": f"tag {r.random()}"})


def _on(kind: str, method: str, path: str, body: Callable[[random.Random, World], object] | None = None) -> Edit:
    def edit(r: random.Random, person: Person, world: World) -> None:
        if ids := getattr(world, kind):
            sent = body(r, world) if body else None
            person.call(method, f"/{kind}/{r.choice(ids)}{path}", sent)

    return edit


EDITS: tuple[Edit, ...] = (
    _create_list,
    *[_create_item] * 5,
    _comment,
    _rename_tag,
    _on("lists", "PATCH", "", lambda r, _: {"name": f"renamed {r.random()}"}),
    _on("lists", "DELETE", ""),
    _on("lists", "POST", "/restore"),
    _on("items", "PATCH", "", lambda r, _: {"title": f"changed {r.random()}", "tags": r.sample(["red", "odd"], 1)}),
    _on("items", "POST", "/move", lambda r, world: {"list_id": r.choice(world.lists)}),
    _on("items", "POST", "/complete"),
    _on("items", "POST", "/reopen"),
    _on("items", "DELETE", ""),
    _on("items", "POST", "/restore"),
    _on("tags", "DELETE", ""),
    _on("tags", "POST", "/restore"),
    _on("comments", "DELETE", ""),
    _on("comments", "PATCH", "", lambda r, _: {"text": f"changed {r.random()}"}),
)


@pytest.fixture
def shared(alice: Person, bob: Person, database: Database) -> str:
    """A workspace of two people."""
    workspace = alice.post("/workspaces", {"name": "shared"}).json["id"]
    _join(database, workspace, bob)
    return str(workspace)


def _join(database: Database, workspace: str, person: Person) -> None:
    with database.transaction() as connection:
        held = {"workspace": workspace, "user": person.user_id}
        connection.execute(text("UPDATE workspaces SET revision = revision + 1 WHERE id = :workspace"), held)
        connection.execute(
            text("INSERT INTO members (workspace_id, user_id, role) VALUES (:workspace, :user, 'editor')"), held
        )


@pytest.mark.parametrize("seed", range(6))
def test_two_sides_edit_and_every_client_converges(alice: Person, bob: Person, shared: str, seed: int) -> None:
    r = random.Random(seed)
    world = World(alice, shared)
    alice.item("first", world.lists[0])
    world.items.append(alice.item("second", world.lists[0], tags=["red"])["id"])
    replicas = [Replica(alice, shared, limit=r.randint(1, 5)), Replica(bob, shared, limit=200)]
    for _ in range(60):
        r.choice(EDITS)(r, r.choice([alice, bob]), world)
        # A client may stop in the middle of its pages while others go on writing.
        if r.random() < 0.4:
            r.choice(replicas).pull_page()
    late = Replica(alice, shared, limit=7)
    for replica in (*replicas, late):
        replica.pull()
    expected = state(alice, shared)
    for replica in (*replicas, late):
        assert replica.shown() == expected


@pytest.mark.parametrize("items", [100, 20_000])
def test_nothing_new_takes_at_most_two_statements(
    alice: Person, fill: Callable[[str, int], None], statements: Statistics, items: int
) -> None:
    fill(alice.inbox, items)
    replica = Replica(alice, alice.workspace, limit=200)
    replica.pull()
    assert len(replica.shown()["item"]) == items
    before = statements.statements
    answer = alice.get(f"/workspaces/{alice.workspace}/sync?cursor={replica.cursor}")
    assert (answer.json["changes"], answer.json["deleted"], answer.json["has_more"]) == ([], [], False)
    assert 0 < statements.statements - before <= 2, statements.texts


def test_a_page_of_changes_takes_at_most_three_statements(alice: Person, statements: Statistics) -> None:
    alice.item(tags=["a", "b"])
    before = statements.statements
    assert alice.get(f"/workspaces/{alice.workspace}/sync").json["changes"]
    assert 0 < statements.statements - before <= 3, statements.texts


def test_renaming_a_tag_tells_every_item_that_carries_it(alice: Person) -> None:
    ids = {alice.item(str(number), tags=["old"])["id"] for number in range(7)}
    alice.item("other", tags=["another"])
    replica = Replica(alice, alice.workspace, limit=2)
    replica.pull()
    tag = next(id for id, body in replica.of("tag").items() if body["name"] == "old")
    replica.things = {}
    alice.patch(f"/tags/{tag}", {"name": "new"})
    replica.pull()
    assert set(replica.of("item")) == ids
    assert all(item["tags"] == ["new"] for item in replica.of("item").values())


def test_a_deleted_list_takes_its_items_along_and_brings_them_back(alice: Person) -> None:
    there = alice.new_list()
    ids = {alice.item(str(number), there)["id"] for number in range(7)}
    replica = Replica(alice, alice.workspace, limit=2)
    replica.pull()
    alice.delete(f"/lists/{there}")
    replica.pull()
    assert replica.of("item") == {}
    alice.post(f"/lists/{there}/restore")
    replica.pull()
    assert set(replica.of("item")) == ids


def test_who_joins_and_who_leaves_is_told(alice: Person, bob: Person, shared: str, database: Database) -> None:
    replica = Replica(alice, shared)
    replica.pull()
    assert {body["role"] for body in replica.of("member").values()} == {"owner", "editor"}
    assert alice.delete(f"/workspaces/{shared}/members/{bob.user_id}").status_code == 204
    replica.pull()
    assert set(replica.of("member")) == {alice.user_id}
    _join(database, shared, bob)
    replica.pull()
    assert set(replica.of("member")) == {alice.user_id, bob.user_id}


def test_a_cursor_older_than_the_trash_is_gone(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    assert KEPT_DAYS <= purging.KEPT_DAYS
    replica = Replica(alice, alice.workspace)
    replica.pull()
    monkeypatch.setattr("fastier.sync.service.KEPT_DAYS", 0)
    problem(alice.get(f"/workspaces/{alice.workspace}/sync?cursor={replica.cursor}"), 410, "cursor_expired")


def test_a_cursor_from_after_a_restored_backup_is_gone(alice: Person, database: Database) -> None:
    alice.item()
    replica = Replica(alice, alice.workspace)
    replica.pull()
    with database.transaction() as connection:
        connection.execute(
            text("UPDATE workspaces SET revision = revision - 1 WHERE id = :id"), {"id": alice.workspace}
        )
    problem(alice.get(f"/workspaces/{alice.workspace}/sync?cursor={replica.cursor}"), 410, "cursor_expired")


def test_a_cursor_of_another_workspace_or_made_by_hand_is_refused(alice: Person, bob: Person) -> None:
    cursor = alice.get(f"/workspaces/{alice.workspace}/sync").json["next_cursor"]
    problem(bob.get(f"/workspaces/{bob.workspace}/sync?cursor={cursor}"), 400, "bad_cursor")
    problem(alice.get(f"/workspaces/{alice.workspace}/sync?cursor={cursor[:-2]}xx"), 400, "bad_cursor")
