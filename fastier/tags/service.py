"""The rules of tags."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from fastier.errors import Conflict, NotFound
from fastier.tags import queries
from fastier.tags.schemas import NewTag, TagPatch
from fastier.web.call import AnswerInstead, Reply
from fastier.web.viewer import Viewer
from fastier.workspaces.access import Access, etag_of


def get_tag(connection: Connection, viewer: Viewer, id: UUID) -> dict[str, Any]:
    found = queries.one(connection, viewer, id)
    if found is None:
        raise NotFound
    return found


def create_tag(connection: Connection, viewer: Viewer, held: Access, new: NewTag) -> dict[str, Any]:
    """A tag; an id that the viewer can see already gives what is there, a name that is taken is refused."""
    made = queries.insert(connection, held, new.id or uuid7(), new.name)
    if made is None:
        there = queries.one(connection, viewer, new.id) if new.id else None
        if there is None:
            raise Conflict("There is a tag of this name, or the id is in use.", code="tag_exists")
        raise AnswerInstead(Reply(there, 201, etag_of(there["revision"])))
    return made


def change_tag(connection: Connection, held: Access, there: dict[str, Any], patch: TagPatch) -> dict[str, Any]:
    """Rename a tag everywhere at once: an item's revision is the highest of its own and its tags'."""
    with _names_are_unique():
        return queries.rename(connection, held, there["id"], patch.sent().get("name", there["name"]))


def restore_tag(connection: Connection, held: Access, id: UUID) -> dict[str, Any]:
    """Bring a deleted tag back to the items that had it."""
    with _names_are_unique():
        return queries.restore(connection, held, id)


@contextmanager
def _names_are_unique() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise Conflict("There is a tag of this name.", code="tag_exists") from None
