"""Every route × every kind of asker: one table says what each gets, and a route without a row fails."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from fastier.database import Database
from fastier.services import Services
from tests.api import Api, Document, Person, problem

# Who asks, in the order of the table's columns. `reader` is the owner's personal token of scope `read`.
ASKERS = ("nobody", "stranger", "viewer", "editor", "admin", "owner", "reader")

READ = (401, 404, 200, 200, 200, 200, 200)
WRITE = (401, 404, 403, 200, 200, 200, 403)
CREATE = (401, 404, 403, 201, 201, 201, 403)
DELETE = (401, 404, 403, 204, 204, 204, 403)
MANAGE = (401, 404, 403, 403, 200, 200, 403)
OWN = (401, 200, 200, 200, 200, 200, 200)
OWN_NEW = (401, 201, 201, 201, 201, 201, 403)
ACCOUNT = (401, 200, 200, 200, 200, 200, 403)
ACCOUNT_NEW = (401, 201, 201, 201, 201, 201, 403)
ANYONE_BAD = (422,) * 7

# Body, and the status for each asker. Deleting and restoring run on fresh things of the shared workspace.
TABLE: dict[str, tuple[Any, tuple[int, ...]]] = {
    "POST /auth/register": ({}, ANYONE_BAD),
    "POST /auth/login": ({}, ANYONE_BAD),
    "POST /auth/verify": ({}, ANYONE_BAD),
    "POST /auth/password/forgot": ({}, ANYONE_BAD),
    "POST /auth/password/reset": ({}, ANYONE_BAD),
    "POST /auth/logout": (None, (401, 204, 204, 204, 204, 204, 204)),
    "GET /me": (None, OWN),
    "PATCH /me": ({"name": "x"}, ACCOUNT),
    "DELETE /me": ({"password": "not this one"}, (401, 403, 403, 403, 403, 403, 403)),
    "GET /tokens": (None, ACCOUNT),
    "POST /tokens": ({"name": "x"}, ACCOUNT_NEW),
    "DELETE /tokens/{token_id}": (None, (401, 404, 404, 404, 404, 204, 403)),
    "GET /sessions": (None, ACCOUNT),
    "DELETE /sessions/{session_id}": (None, (401, 404, 404, 404, 404, 204, 403)),
    "GET /workspaces": (None, OWN),
    "POST /workspaces": ({"name": "x"}, OWN_NEW),
    "GET /workspaces/{workspace_id}": (None, READ),
    "PATCH /workspaces/{workspace_id}": ({"name": "x"}, (401, 404, 403, 403, 200, 200, 403)),
    "DELETE /workspaces/{workspace_id}": (None, (401, 404, 403, 403, 403, 204, 403)),
    "GET /workspaces/{workspace_id}/members": (None, READ),
    "PATCH /workspaces/{workspace_id}/members/{user_id}": ({"role": "editor"}, MANAGE),
    # The viewer leaves.
    "DELETE /workspaces/{workspace_id}/members/{user_id}": (None, (401, 404, 204, 403, 204, 204, 403)),
    "GET /workspaces/{workspace_id}/invitations": (None, (401, 404, 403, 403, 200, 200, 200)),
    "POST /workspaces/{workspace_id}/invitations": (
        {"email": "new@example.com", "role": "viewer"},
        (401, 404, 403, 403, 201, 201, 403),
    ),
    "DELETE /invitations/{invitation_id}": (None, (401, 404, 403, 403, 204, 204, 403)),
    "POST /invitations/accept": ({"token": "of nobody"}, (401, 404, 404, 404, 404, 404, 403)),
    "GET /workspaces/{workspace_id}/activity": (None, READ),
    "GET /workspaces/{workspace_id}/trash": (None, READ),
    "GET /workspaces/{workspace_id}/lists": (None, READ),
    "POST /workspaces/{workspace_id}/lists": ({"name": "x"}, CREATE),
    "GET /lists/{list_id}": (None, READ),
    "PATCH /lists/{list_id}": ({"name": "x"}, WRITE),
    "DELETE /lists/{list_id}": (None, DELETE),
    "POST /lists/{list_id}/restore": (None, WRITE),
    "GET /lists/{list_id}/sections": (None, READ),
    "POST /lists/{list_id}/sections": ({"name": "x"}, CREATE),
    "PATCH /sections/{section_id}": ({"name": "x"}, WRITE),
    "POST /sections/{section_id}/move": ({}, WRITE),
    "DELETE /sections/{section_id}": (None, DELETE),
    "POST /sections/{section_id}/restore": (None, WRITE),
    "GET /lists/{list_id}/board": (None, READ),
    "GET /lists/{list_id}/items": (None, READ),
    "POST /lists/{list_id}/items": ({"title": "x"}, CREATE),
    "GET /items/{item_id}": (None, READ),
    "PATCH /items/{item_id}": ({"title": "x"}, WRITE),
    "DELETE /items/{item_id}": (None, DELETE),
    "POST /items/{item_id}/move": ({}, WRITE),
    "POST /items/{item_id}/complete": (None, WRITE),
    "POST /items/{item_id}/reopen": (None, WRITE),
    "POST /items/{item_id}/restore": (None, WRITE),
    "GET /items/{item_id}/subtasks": (None, READ),
    "GET /items/{item_id}/reminders": (None, READ),
    "GET /items/{item_id}/activity": (None, READ),
    "GET /items/{item_id}/comments": (None, READ),
    "POST /items/{item_id}/comments": ({"text": "x"}, CREATE),
    # The editor has written it.
    "PATCH /comments/{comment_id}": ({"text": "x"}, (401, 404, 403, 200, 403, 403, 403)),
    "DELETE /comments/{comment_id}": (None, DELETE),
    "POST /comments/{comment_id}/restore": (None, WRITE),
    "GET /items/{item_id}/attachments": (None, READ),
    "POST /items/{item_id}/attachments": ({"file_name": "a", "content_type": "text/plain", "size": 1}, CREATE),
    "GET /attachments/{attachment_id}": (None, READ),
    "POST /attachments/{attachment_id}/complete": (None, WRITE),
    "GET /attachments/{attachment_id}/content": (None, (401, 404, 302, 302, 302, 302, 302)),
    "DELETE /attachments/{attachment_id}": (None, DELETE),
    "GET /workspaces/{workspace_id}/items": (None, READ),
    "GET /workspaces/{workspace_id}/search?q=item": (None, READ),
    "GET /me/items": (None, OWN),
    "GET /workspaces/{workspace_id}/sync": (None, READ),
    "GET /workspaces/{workspace_id}/tags": (None, READ),
    "POST /workspaces/{workspace_id}/tags": ({"name": "fresh"}, CREATE),
    "GET /tags/{tag_id}": (None, READ),
    "PATCH /tags/{tag_id}": ({"name": "renamed"}, WRITE),
    "DELETE /tags/{tag_id}": (None, DELETE),
    "POST /tags/{tag_id}/restore": (None, WRITE),
}


@dataclass
class World:
    """A shared workspace with a list, an item and a tag, and one asker of each kind."""

    owner: Person
    askers: dict[str, Api]
    ids: dict[str, str]

    def path(self, route: str) -> str:
        return route.partition(" ")[2].format(**self.ids)


@pytest.fixture
def world(settle: Callable[[str], Person], anybody: Api, database: Database) -> World:
    owner = settle("owner")
    workspace = owner.post("/workspaces", {"name": "shared"}).json["id"]
    people = {name: settle(name) for name in ("stranger", "viewer", "editor", "admin")}
    with database.transaction() as connection:
        for role in ("viewer", "editor", "admin"):
            connection.execute(
                text("INSERT INTO members (workspace_id, user_id, role) VALUES (:workspace, :user, :role)"),
                {"workspace": workspace, "user": people[role].user_id, "role": role},
            )
    made = owner.post("/tokens", {"name": "reader", "scope": "read"}).json
    reader = Api(anybody.client, anybody.document, made["token"])
    list_id = owner.post(f"/workspaces/{workspace}/lists", {"name": "list"}).json["id"]
    item = owner.item("item", list_id, tags=["tag"])
    new = {"email": f"invited-{workspace}@example.com", "role": "viewer"}
    ids = {
        "workspace_id": workspace,
        "list_id": list_id,
        "item_id": item["id"],
        "user_id": people["viewer"].user_id,
        "invitation_id": owner.post(f"/workspaces/{workspace}/invitations", new).json["id"],
        "comment_id": people["editor"].post(f"/items/{item['id']}/comments", {"text": "said"}).json["id"],
        "section_id": owner.post(f"/lists/{list_id}/sections", {"name": "section"}).json["id"],
        "tag_id": owner.get(f"/workspaces/{workspace}/tags").json["data"][0]["id"],
        "attachment_id": owner.upload(item["id"], b"content")["id"],
        "token_id": made["id"],
        "session_id": owner.get("/sessions").json["data"][0]["id"],
    }
    return World(owner, {"nobody": anybody, **people, "owner": owner, "reader": reader}, ids)


def _routes(document: Document) -> set[str]:
    return {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, methods in document.body["paths"].items()
        for method in methods
    }


def test_every_route_has_a_row(document: Document) -> None:
    assert _routes(document) == {route.partition("?")[0] for route in TABLE}


@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize("route", TABLE)
def test_each_asker_gets_what_the_table_says(world: World, route: str, asker: str) -> None:
    body, statuses = TABLE[route]
    expected = statuses[ASKERS.index(asker)]
    if route.endswith("/restore"):
        assert world.owner.delete(world.path(route).removesuffix("/restore")).status_code == 204
    response = world.askers[asker].call(route.partition(" ")[0], world.path(route), body)
    assert response.status_code == expected, response.text


@pytest.mark.parametrize("route", [route for route in TABLE if "{" in route])
def test_a_foreign_id_and_an_unknown_one_cannot_be_told_apart(world: World, route: str) -> None:
    body, _ = TABLE[route]
    method, stranger = route.partition(" ")[0], world.askers["stranger"]
    unknown = {name: str(uuid7()) for name in world.ids}
    foreign = problem(stranger.call(method, world.path(route), body), 404)
    missing = problem(stranger.call(method, route.partition(" ")[2].format(**unknown), body), 404)
    assert {**foreign, "instance": ""} == {**missing, "instance": ""}


@pytest.mark.parametrize("route", [route for route in TABLE if "{workspace_id}" in route or "{list_id}" in route])
def test_leaving_a_workspace_ends_all_rights_at_once(world: World, services: Services, route: str) -> None:
    body, _ = TABLE[route]
    admin = world.askers["admin"]
    assert isinstance(admin, Person)
    with services.database.transaction() as connection:
        connection.execute(
            text("DELETE FROM members WHERE user_id = :user AND role = 'admin'"), {"user": admin.user_id}
        )
    problem(admin.call(route.partition(" ")[0], world.path(route), body), 404)
