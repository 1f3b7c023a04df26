"""SQL about comments; reads are bound to the viewer, writes to the workspace that the viewer has locked."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, TextClause, text

from fastier.web.viewer import Viewer
from fastier.workspaces.access import Access

_COLUMNS = """CAST(c.id AS text), CAST(c.item_id AS text), CAST(c.author_id AS text), u.name AS author_name, c.text,
    c.created_at, c.updated_at, c.revision"""
_AUTHOR = "LEFT JOIN users u ON u.id = c.author_id"

_ONE = text(
    f"""SELECT {_COLUMNS} FROM comments c {_AUTHOR}
    JOIN items i ON i.id = c.item_id AND i.deleted_at IS NULL
    JOIN lists l ON l.id = i.list_id AND l.deleted_at IS NULL
    JOIN workspaces w ON w.id = c.workspace_id AND w.deleted_at IS NULL
    JOIN members m ON m.workspace_id = w.id AND m.user_id = :viewer
    WHERE c.id = :id AND (c.deleted_at IS NOT NULL) = :deleted"""
)
_PAGE = text(
    f"""SELECT {_COLUMNS} FROM (
        SELECT * FROM comments WHERE item_id = :item AND deleted_at IS NULL
          AND (CAST(:after AS uuid) IS NULL OR id > CAST(:after AS uuid))
        ORDER BY id LIMIT :limit) c {_AUTHOR}
    ORDER BY c.id"""
)
_COUNT = text(
    """SELECT count(*) FROM (SELECT FROM comments WHERE item_id = :item AND deleted_at IS NULL LIMIT :cap) counted"""
)
_COUNTED = """counted AS (
        UPDATE items SET comment_count = comment_count {change}, revision = :revision, updated_at = now()
        WHERE id = (SELECT item_id FROM c))"""
_INSERT = text(
    f"""WITH c AS (
        INSERT INTO comments (id, workspace_id, item_id, author_id, text, revision)
        VALUES (:id, :workspace, :item, :viewer, :text, :revision) ON CONFLICT (id) DO NOTHING RETURNING *),
    {_COUNTED.format(change="+ 1")}
    SELECT {_COLUMNS} FROM c {_AUTHOR}"""
)


def _update(assignment: str, condition: str, change: str) -> TextClause:
    # The item is stamped with the comment, so that whoever holds it sees that there is something new to read.
    return text(
        f"""WITH c AS (
            UPDATE comments SET {assignment}, revision = :revision, updated_at = now()
            WHERE id = :id AND {condition} RETURNING *),
        {_COUNTED.format(change=change)}
        SELECT {_COLUMNS} FROM c {_AUTHOR}"""
    )


_CHANGE = _update("text = :text", "deleted_at IS NULL", "+ 0")
_DELETE = _update("deleted_at = now()", "deleted_at IS NULL", "- 1")
_FORGET_AUTHOR = text(
    """UPDATE comments SET author_id = NULL, revision = :revision
    WHERE workspace_id = :workspace AND author_id = :user"""
)
_RESTORE = _update("deleted_at = NULL", "deleted_at IS NOT NULL", "+ 1")


def one(connection: Connection, viewer: Viewer, id: UUID, *, deleted: bool = False) -> dict[str, Any] | None:
    """A comment that the viewer may see, on a live item."""
    parameters = {"id": str(id), "viewer": str(viewer.user_id), "deleted": deleted}
    row = connection.execute(_ONE, parameters).mappings().one_or_none()
    return dict(row) if row else None


def page(connection: Connection, item_id: UUID, after: str | None, limit: int) -> list[dict[str, Any]]:
    """The comments of an item to which the viewer's access has been checked, oldest first."""
    parameters = {"item": str(item_id), "after": after, "limit": limit}
    return [dict(row) for row in connection.execute(_PAGE, parameters).mappings()]


def count(connection: Connection, item_id: UUID, cap: int) -> int:
    return int(connection.execute(_COUNT, {"item": str(item_id), "cap": cap}).scalar_one())


def insert(
    connection: Connection, viewer: Viewer, held: Access, item_id: UUID, id: UUID, words: str
) -> dict[str, Any] | None:
    """The new comment, counted at its item; None when the id is taken."""
    parameters = {
        "id": str(id),
        "workspace": str(held.workspace_id),
        "item": str(item_id),
        "viewer": str(viewer.user_id),
        "text": words,
        "revision": held.revision,
    }
    row = connection.execute(_INSERT, parameters).mappings().one_or_none()
    return dict(row) if row else None


def change(connection: Connection, held: Access, id: UUID, words: str) -> dict[str, Any] | None:
    return _changed(connection, _CHANGE, held, id, {"text": words})


def delete(connection: Connection, held: Access, id: UUID) -> dict[str, Any] | None:
    return _changed(connection, _DELETE, held, id, {})


def restore(connection: Connection, held: Access, id: UUID) -> dict[str, Any] | None:
    return _changed(connection, _RESTORE, held, id, {})


def forget_author(connection: Connection, held: Access, user_id: UUID) -> None:
    """Keep what somebody said in the workspace, without their name."""
    parameters = {"workspace": str(held.workspace_id), "user": str(user_id), "revision": held.revision}
    connection.execute(_FORGET_AUTHOR, parameters)


def _changed(
    connection: Connection, statement: TextClause, held: Access, id: UUID, fields: dict[str, Any]
) -> dict[str, Any] | None:
    """The comment as it then is; None when it has changed state meanwhile."""
    parameters = {**fields, "id": str(id), "revision": held.revision}
    row = connection.execute(statement, parameters).mappings().one_or_none()
    return dict(row) if row else None
