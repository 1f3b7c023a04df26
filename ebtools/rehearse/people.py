"""Registers the person in whose name the load is sent, with lists and items to read."""

import http.client
import json
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

API = "/api/v1"
LISTS = 3
ITEMS = 60
SECONDS = 10.0
_TAGS = ("home", "work", "errand")


class PrepareError(Exception):
    """The application did not answer as the contract says while the person was registered."""


@dataclass(frozen=True, slots=True)
class People:
    """One person, what is theirs, and the titles of the items that every act reads and none changes."""

    token: str = field(repr=False)
    workspace: str
    lists: list[str]
    items: dict[str, str]


def prepare(origin: str, *, headers: dict[str, str] | None = None, items: int = ITEMS) -> People:
    """Register one person at `origin` ("http://host:port"), with a workspace, lists and items; PrepareError, OSError.

    `headers` go with every request, such as X-Forwarded-Proto where no load balancer stands in between.
    """
    parts = urlsplit(origin)
    if parts.scheme != "http" or not parts.hostname:
        raise PrepareError(f"{origin} is no address such as http://127.0.0.1:8000")
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=SECONDS)
    try:
        return _prepare(connection, dict(headers or {}), items)
    except http.client.HTTPException as error:
        raise PrepareError(f"{origin} did not answer in HTTP: {type(error).__name__}") from error
    finally:
        connection.close()


def _prepare(connection: http.client.HTTPConnection, headers: dict[str, str], items: int) -> People:
    mark = secrets.token_hex(8)
    new = {"email": f"rehearsal-{mark}@example.com", "password": secrets.token_urlsafe(24), "name": "Rehearsal"}
    token = str(_post(connection, "/auth/register", new, headers)["token"])
    signed_in = {**headers, "Authorization": f"Bearer {token}"}
    workspace = str(_post(connection, "/workspaces", {"name": f"Rehearsal {mark}"}, signed_in)["id"])
    lists = [
        str(_post(connection, f"/workspaces/{workspace}/lists", {"name": f"List {number}"}, signed_in)["id"])
        for number in range(1, LISTS + 1)
    ]
    made: dict[str, str] = {}
    for number in range(items):
        item = {"title": f"Prepared {number}", "priority": number % 4 + 1, "tags": [_TAGS[number % len(_TAGS)]]}
        answer = _post(connection, f"/lists/{lists[number % LISTS]}/items", item, signed_in)
        made[str(answer["id"])] = str(item["title"])
    return People(token=token, workspace=workspace, lists=lists, items=made)


def _post(
    connection: http.client.HTTPConnection, path: str, body: dict[str, Any], headers: dict[str, str]
) -> dict[str, Any]:
    connection.request("POST", API + path, json.dumps(body), {**headers, "Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    if response.status != 201:
        # Only the code of the problem: what was sent holds a password.
        raise PrepareError(f"POST {path} was answered {response.status} {_code(content)}".rstrip())
    answer: dict[str, Any] = json.loads(content)
    return answer


def _code(content: bytes) -> str:
    try:
        return str(json.loads(content)["code"])
    except (ValueError, LookupError, TypeError):
        return ""
