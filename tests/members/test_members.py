"""Members: roles, leaving, transfer, and a workspace that never loses its last owner."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from fastier.database import Database, Statistics
from fastier.services import Services
from tests.api import Person, pointers, problem
from tests.joining import join, shared_workspace
from tests.world import Settle


@pytest.fixture
def team(alice: Person, bob: Person, services: Services) -> str:
    """Alice's workspace, with bob as an editor."""
    made = shared_workspace(alice)
    join(services, alice, made, bob)
    return made


def _set_role(person: Person, team: str, other: Person, role: str) -> int:
    return person.patch(f"/workspaces/{team}/members/{other.user_id}", {"role": role}).status_code


def _roles(person: Person, team: str) -> dict[str, str]:
    return {member["user_id"]: member["role"] for member in person.get(f"/workspaces/{team}/members").json["data"]}


def test_members_are_listed_with_role_and_address(alice: Person, bob: Person, team: str) -> None:
    page = bob.get(f"/workspaces/{team}/members?include=total").json
    assert [(each["name"], each["email"], each["role"]) for each in page["data"]] == [
        ("alice", alice.email, "owner"),
        ("bob", bob.email, "editor"),
    ]
    assert page["total"] == 2
    first = bob.get(f"/workspaces/{team}/members?limit=1").json
    rest = bob.get(f"/workspaces/{team}/members?limit=1&cursor={first['next_cursor']}").json
    assert [first["data"][0], rest["data"][0]] == page["data"]


def test_a_page_of_members_takes_three_statements_and_none_that_is_unchanged_more_than_two(
    alice: Person, team: str, statements: Statistics
) -> None:
    etag = alice.get(f"/workspaces/{team}/members").headers["ETag"]
    assert 0 < statements.statements <= 3, statements.texts
    before = statements.statements
    assert alice.get(f"/workspaces/{team}/members", headers={"If-None-Match": etag}).status_code == 304
    assert statements.statements - before <= 2


def test_a_new_name_reaches_whoever_holds_the_list(alice: Person, bob: Person, team: str) -> None:
    etag = alice.get(f"/workspaces/{team}/members").headers["ETag"]
    assert bob.patch("/me", {"name": "Robert"}).status_code == 200
    page = alice.get(f"/workspaces/{team}/members", headers={"If-None-Match": etag})
    assert (page.status_code, page.json["data"][1]["name"]) == (200, "Robert")


def test_a_role_counts_at_once(alice: Person, bob: Person, team: str) -> None:
    assert _set_role(alice, team, bob, "viewer") == 200
    problem(bob.post(f"/workspaces/{team}/lists", {"name": "x"}), 403, "role")
    assert _set_role(alice, team, bob, "editor") == 200
    assert bob.post(f"/workspaces/{team}/lists", {"name": "x"}).status_code == 201
    assert pointers(alice.patch(f"/workspaces/{team}/members/{bob.user_id}", {"role": "king"})) == ["/role"]
    assert pointers(alice.patch(f"/workspaces/{team}/members/{bob.user_id}", {})) == ["/role"]


def test_an_admin_neither_makes_nor_changes_nor_removes_owners(
    alice: Person, bob: Person, team: str, settle: Settle, services: Services
) -> None:
    carol = settle("carol")
    join(services, alice, team, carol, "viewer")
    assert _set_role(alice, team, bob, "admin") == 200
    path = f"/workspaces/{team}/members"
    problem(bob.patch(f"{path}/{bob.user_id}", {"role": "owner"}), 403, "role")
    problem(bob.patch(f"{path}/{carol.user_id}", {"role": "owner"}), 403, "role")
    problem(bob.patch(f"{path}/{alice.user_id}", {"role": "viewer"}), 403, "role")
    problem(bob.delete(f"{path}/{alice.user_id}"), 403, "role")
    assert _set_role(bob, team, carol, "admin") == 200
    assert bob.delete(f"{path}/{carol.user_id}").status_code == 204


def test_the_last_owner_neither_steps_down_nor_leaves(alice: Person, bob: Person, team: str) -> None:
    path = f"/workspaces/{team}/members"
    problem(alice.patch(f"{path}/{alice.user_id}", {"role": "admin"}), 409, "last_owner")
    problem(alice.delete(f"{path}/{alice.user_id}"), 409, "last_owner")
    assert _set_role(alice, team, bob, "owner") == 200
    assert _set_role(alice, team, alice, "admin") == 200
    assert _roles(bob, team) == {alice.user_id: "admin", bob.user_id: "owner"}
    problem(alice.delete(f"{path}/{bob.user_id}"), 403, "role")
    problem(bob.delete(f"{path}/{bob.user_id}"), 409, "last_owner")


@pytest.mark.parametrize("role", ["viewer", "editor", "admin", "owner"])
def test_every_role_may_leave(alice: Person, bob: Person, team: str, role: str) -> None:
    assert _set_role(alice, team, bob, role) == 200
    assert bob.delete(f"/workspaces/{team}/members/{bob.user_id}").status_code == 204
    problem(bob.get(f"/workspaces/{team}"), 404)
    problem(alice.delete(f"/workspaces/{team}/members/{bob.user_id}"), 404)
    assert _roles(alice, team) == {alice.user_id: "owner"}


def test_a_personal_workspace_keeps_exactly_its_owner(alice: Person) -> None:
    path = f"/workspaces/{alice.workspace}/members/{alice.user_id}"
    problem(alice.delete(path), 409, "personal_workspace")
    problem(alice.patch(path, {"role": "viewer"}), 409, "personal_workspace")


def test_whoever_leaves_leaves_their_items_to_nobody(alice: Person, bob: Person, team: str, database: Database) -> None:
    list_id = alice.post(f"/workspaces/{team}/lists", {"name": "l"}).json["id"]
    item = alice.item("for bob", list_id)
    with database.transaction() as connection:
        connection.execute(
            text("UPDATE items SET assignee_id = :bob WHERE id = :id"), {"bob": bob.user_id, "id": item["id"]}
        )
        connection.execute(
            text(
                """INSERT INTO reminders (id, workspace_id, item_id, user_id, at)
                VALUES (gen_random_uuid(), :team, :item, :bob, now())"""
            ),
            {"team": team, "item": item["id"], "bob": bob.user_id},
        )
    assert alice.delete(f"/workspaces/{team}/members/{bob.user_id}").status_code == 204
    after = alice.get(f"/items/{item['id']}").json
    assert after["assignee_id"] is None
    assert after["revision"] > item["revision"]
    with database.reading() as connection:
        left = connection.execute(text("SELECT count(*) FROM reminders WHERE user_id = :bob"), {"bob": bob.user_id})
        assert left.scalar_one() == 0


def _at_once(*calls: tuple[Person, str, str, dict[str, str] | None]) -> list[int]:
    with ThreadPoolExecutor(len(calls)) as pool:
        started = [pool.submit(person.call, method, path, body) for person, method, path, body in calls]
        return [done.result(timeout=60).status_code for done in started]


def test_owners_who_demote_each_other_at_once_leave_an_owner(alice: Person, bob: Person, team: str) -> None:
    path = f"/workspaces/{team}/members"
    for _ in range(12):
        for person in (alice, bob):
            if _roles(alice, team)[person.user_id] != "owner":
                other = bob if person is alice else alice
                assert _set_role(other, team, person, "owner") == 200
        statuses = _at_once(
            (alice, "PATCH", f"{path}/{bob.user_id}", {"role": "admin"}),
            (bob, "PATCH", f"{path}/{alice.user_id}", {"role": "admin"}),
            (alice, "PATCH", f"{path}/{alice.user_id}", {"role": "admin"}),
            (bob, "PATCH", f"{path}/{bob.user_id}", {"role": "admin"}),
        )
        assert set(statuses) <= {200, 403, 409}
        assert "owner" in _roles(alice, team).values()


def test_owners_who_leave_at_once_leave_an_owner(
    alice: Person, bob: Person, team: str, settle: Settle, services: Services
) -> None:
    carol = settle("carol")
    join(services, alice, team, carol)
    for person in (bob, carol):
        assert _set_role(alice, team, person, "owner") == 200
    everybody = (alice, bob, carol)
    statuses = _at_once(
        *((person, "DELETE", f"/workspaces/{team}/members/{person.user_id}", None) for person in everybody)
    )
    assert sorted(statuses) == [204, 204, 409]
    [last] = [person for person, status in zip(everybody, statuses, strict=True) if status == 409]
    assert _roles(last, team) == {last.user_id: "owner"}
