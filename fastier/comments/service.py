"""The rules of comments: who may change and delete what was said."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from fastier.comments import queries
from fastier.comments.schemas import NewComment
from fastier.errors import Forbidden, NotFound
from fastier.web.call import AnswerInstead, Reply
from fastier.web.viewer import Viewer
from fastier.workspaces.access import ADMINS, Access, etag_of
from fastier.workspaces.service import id_taken


def create_comment(
    connection: Connection, viewer: Viewer, held: Access, item_id: UUID, id: UUID, new: NewComment
) -> dict[str, Any]:
    """A comment at the end; an id that the viewer can see already gives what is there."""
    made = queries.insert(connection, viewer, held, item_id, id, new.text)
    if made is None:
        there = queries.one(connection, viewer, id)
        if there is None:
            raise id_taken()
        raise AnswerInstead(Reply(there, 201, etag_of(there["revision"])))
    return made


def own_comment(connection: Connection, viewer: Viewer, id: UUID) -> dict[str, Any]:
    """A live comment that the viewer has written."""
    there = found(queries.one(connection, viewer, id))
    if not _is_author(viewer, there):
        raise Forbidden("Only the author may change a comment.", code="not_author")
    return there


def removable_comment(
    connection: Connection, viewer: Viewer, held: Access, id: UUID, *, deleted: bool = False
) -> dict[str, Any]:
    """A comment that the viewer may delete or, once it is deleted, restore."""
    there = found(queries.one(connection, viewer, id, deleted=deleted))
    if held.role not in ADMINS and not _is_author(viewer, there):
        raise Forbidden("Only the author, an admin or an owner may do this.", code="not_author")
    return there


def found(comment: dict[str, Any] | None) -> dict[str, Any]:
    if comment is None:
        raise NotFound
    return comment


def _is_author(viewer: Viewer, comment: dict[str, Any]) -> bool:
    return bool(comment["author_id"] == str(viewer.user_id))
