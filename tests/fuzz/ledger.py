"""What two people were told, and so what the next answer to each of them may and may not be."""

import re
from dataclasses import dataclass, field
from typing import Any

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What a thing lies in; a subtask goes wherever its parent goes.
_PLACES = ("workspace_id", "list_id", "section_id", "item_id")
# Said before it is known whether the id is anybody's, or in the same way whatever the id is.
SAYS_NOTHING = {400, 404, 413, 415, 422, 429}


@dataclass
class Ledger:
    """Who was told of which id, what that id lies in, and what was deleted; ids are texts."""

    owner: dict[str, str] = field(default_factory=dict)
    places: dict[str, set[str]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)

    def is_gone(self, id: str) -> bool:
        """Deleted, or in something that is."""
        return id in self.deleted or any(self.is_gone(place) for place in self.places.get(id, ()))

    def _can_be_restored(self, id: str) -> bool:
        return id in self.deleted and not any(self.is_gone(place) for place in self.places.get(id, ()))

    def take(self, person: str, method: str, path: str, ids: list[str], status: int, body: Any) -> None:
        """Assert that the answer is right for this person and these ids of the path, and remember what it tells."""
        asked = f"{person}: {method} {path} {ids} gave {status}"
        done = 200 <= status < 400
        if any(self.owner.get(id, person) != person for id in ids):
            assert status in SAYS_NOTHING, f"{asked}, though it is another's"
        elif all(id in self.owner for id in ids):
            if path.endswith("/restore"):
                assert status != 404 or not self._can_be_restored(ids[0]), f"{asked}, though it can be restored"
            elif any(self.is_gone(id) for id in ids):
                assert not done, f"{asked}, though it was deleted"
            else:
                assert status != 404, f"{asked}, though it is there"
        if done:
            self._tell(person, asked, str(body))
            self._remember(method, path, ids, body)
            self._look_for_the_deleted(asked, body, in_trash=path.endswith("/trash"))

    def _tell(self, person: str, asked: str, text: str) -> None:
        for id in _UUID.findall(text):
            assert self.owner.setdefault(id, person) == person, f"{asked}, and tells of another's {id}"

    def _remember(self, method: str, path: str, ids: list[str], body: Any) -> None:
        if method == "DELETE":
            self.deleted.add(ids[-1])
        for thing in (body, body.get("attachment")) if isinstance(body, dict) else ():
            if isinstance(thing, dict) and "id" in thing:
                if path.endswith("/restore"):
                    self.deleted.discard(thing["id"])
                names = ("parent_id",) if thing.get("parent_id") else _PLACES
                self.places[thing["id"]] = {thing[name] for name in names if thing.get(name)}

    def _look_for_the_deleted(self, asked: str, body: Any, *, in_trash: bool) -> None:
        """The trash shows nothing but what was deleted, and everything else nothing of it."""
        rows = (body.get("data") or [body]) if isinstance(body, dict) else []
        shown = [row["id"] for row in rows if "id" in row and self.is_gone(row["id"]) != in_trash]
        assert not shown, f"{asked}, and shows {shown}, though they were {'not ' * in_trash}deleted"
