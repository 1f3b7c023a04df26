"""The rules of lists."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from fastier import positions
from fastier.errors import Conflict, NotFound
from fastier.lists import queries
from fastier.lists.schemas import ListPatch, NewList
from fastier.web.call import AnswerInstead, Reply
from fastier.web.viewer import Viewer
from fastier.workspaces.access import Access, etag_of
from fastier.workspaces.service import id_taken

INBOX = "Inbox"


def get_list(connection: Connection, viewer: Viewer, id: UUID) -> dict[str, Any]:
    found = queries.one(connection, viewer, id)
    if found is None:
        raise NotFound
    return found


def create_list(connection: Connection, viewer: Viewer, held: Access, new: NewList) -> dict[str, Any]:
    """A list at the end; an id that the viewer can see already gives what is there."""
    made = queries.insert(connection, held, new.id or uuid7(), new.name, positions.last(held.revision))
    if made is None:
        assert new.id is not None, "two random ids are never the same"
        there = queries.one(connection, viewer, new.id)
        if there is None:
            raise id_taken()
        raise AnswerInstead(Reply(there, 201, etag_of(there["revision"])))
    return made


def create_inbox(connection: Connection, held: Access) -> dict[str, Any]:
    """The list of a personal workspace that cannot be deleted."""
    made = queries.insert(connection, held, uuid7(), INBOX, positions.last(held.revision), is_inbox=True)
    assert made is not None, "two random ids are never the same"
    return made


def change_list(connection: Connection, held: Access, there: dict[str, Any], patch: ListPatch) -> dict[str, Any]:
    return queries.rename(connection, held, there["id"], patch.sent().get("name", there["name"]))


def delete_list(connection: Connection, held: Access, there: dict[str, Any]) -> None:
    """Hide the list and its items; they can be restored until they are purged."""
    if there["is_inbox"]:
        raise Conflict("The inbox stays; move its items instead.", code="inbox")
    queries.delete(connection, held, there["id"])
