"""A reference client: it knows a workspace only by what sync has told it."""

from dataclasses import dataclass, field
from typing import Any

from tests.api import Person


@dataclass
class Replica:
    """Everything of a workspace by type and id, kept up by pages of a few changes each."""

    person: Person
    workspace: str
    limit: int = 3
    cursor: str | None = None
    things: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def pull(self) -> int:
        """Ask until there is nothing more; how many pages that took."""
        for number in range(1, 2000):
            if not self.pull_page():
                return number
        raise AssertionError("the changes do not end")

    def pull_page(self) -> bool:
        """Take one page in; whether there are more."""
        after = f"&cursor={self.cursor}" if self.cursor else ""
        response = self.person.get(f"/workspaces/{self.workspace}/sync?limit={self.limit}{after}")
        assert response.status_code == 200, response.text
        answer = response.json
        assert len(answer["changes"]) + len(answer["deleted"]) <= self.limit
        for change in answer["changes"]:
            kind = change.pop("type")
            self.of(kind)[change["user_id" if kind == "member" else "id"]] = change
        for gone in answer["deleted"]:
            self.of(gone["type"]).pop(gone["id"], None)
        self.cursor = answer["next_cursor"]
        return bool(answer["has_more"])

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        return self.things.setdefault(kind, {})

    def shown(self) -> dict[str, dict[str, dict[str, Any]]]:
        """What a person would see: what belongs to something is there when that is."""
        lists, items = self.of("list"), self.of("item")
        return {
            "list": lists,
            "tag": self.of("tag"),
            "item": items,
            "section": {id: body for id, body in self.of("section").items() if body["list_id"] in lists},
            "comment": {id: body for id, body in self.of("comment").items() if body["item_id"] in items},
            "attachment": {id: body for id, body in self.of("attachment").items() if body["item_id"] in items},
            "member": self.of("member"),
        }


def state(person: Person, workspace: str) -> dict[str, dict[str, dict[str, Any]]]:
    """The same as the server tells it by its other routes."""
    lists = _all(person, f"/workspaces/{workspace}/lists?")
    items = {
        id: item for list_id in lists for id, item in _all(person, f"/lists/{list_id}/items?completed=any&").items()
    }
    return {
        "list": lists,
        "tag": _all(person, f"/workspaces/{workspace}/tags?"),
        "item": items,
        "section": {},
        "comment": {id: body for item in items for id, body in _all(person, f"/items/{item}/comments?").items()},
        "attachment": {id: body for item in items for id, body in _all(person, f"/items/{item}/attachments?").items()},
        "member": _all(person, f"/workspaces/{workspace}/members?", id="user_id"),
    }


def _all(person: Person, path: str, id: str = "id") -> dict[str, dict[str, Any]]:
    found, cursor = {}, ""
    for _ in range(100):
        page = person.get(f"{path}limit=200{cursor}")
        assert page.status_code == 200, page.text
        found |= {row[id]: row for row in page.json["data"]}
        if page.json["next_cursor"] is None:
            return found
        cursor = f"&cursor={page.json['next_cursor']}"
    raise AssertionError("the pages do not end")
