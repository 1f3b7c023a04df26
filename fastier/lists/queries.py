"""SQL about lists; reads are bound to the viewer, writes to the workspace that the viewer has locked."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from fastier.web.viewer import Viewer
from fastier.workspaces.access import Access

_COLUMNS = "l.id, l.workspace_id, l.name, l.is_inbox, l.position, l.created_at, l.updated_at, l.revision"

_ONE = text(
    f"""SELECT {_COLUMNS} FROM lists l
    JOIN workspaces w ON w.id = l.workspace_id AND w.deleted_at IS NULL
    JOIN members m ON m.workspace_id = w.id AND m.user_id = :viewer
    WHERE l.id = :id AND l.deleted_at IS NULL"""
)
_PAGE = text(
    f"""SELECT {_COLUMNS} FROM lists l WHERE l.workspace_id = :workspace AND l.deleted_at IS NULL
    ORDER BY l.position, l.id LIMIT :limit"""
)
_PAGE_AFTER = text(
    f"""SELECT {_COLUMNS} FROM lists l WHERE l.workspace_id = :workspace AND l.deleted_at IS NULL
      AND (l.position, l.id) > (:position, CAST(:id AS uuid))
    ORDER BY l.position, l.id LIMIT :limit"""
)
_COUNT = text(
    """SELECT count(*) FROM (SELECT FROM lists l WHERE l.workspace_id = :workspace AND l.deleted_at IS NULL
    LIMIT :cap) counted"""
)
_INSERT = text(
    f"""INSERT INTO lists AS l (id, workspace_id, name, is_inbox, position, revision)
    VALUES (:id, :workspace, :name, :is_inbox, :position, :revision) ON CONFLICT (id) DO NOTHING RETURNING {_COLUMNS}"""
)
_CHANGE = text(
    f"""UPDATE lists l SET name = :name, revision = :revision, updated_at = now() WHERE l.id = :id
    RETURNING {_COLUMNS}"""
)
_DELETE = text("UPDATE lists SET deleted_at = now(), revision = :revision, updated_at = now() WHERE id = :id")
_RESTORE = text(
    f"""UPDATE lists l SET deleted_at = NULL, revision = :revision, updated_at = now() WHERE l.id = :id
    RETURNING {_COLUMNS}"""
)


def one(connection: Connection, viewer: Viewer, id: UUID) -> dict[str, Any] | None:
    """A live list that the viewer may see."""
    row = connection.execute(_ONE, {"id": str(id), "viewer": str(viewer.user_id)}).mappings().one_or_none()
    return dict(row) if row else None


def page(connection: Connection, seen: Access, after: list[Any] | None, limit: int) -> list[dict[str, Any]]:
    """The workspace's lists in their order, after the given position and id."""
    parameters: dict[str, Any] = {"workspace": str(seen.workspace_id), "limit": limit}
    if after:
        parameters |= {"position": after[0], "id": after[1]}
    return [dict(row) for row in connection.execute(_PAGE_AFTER if after else _PAGE, parameters).mappings()]


def count(connection: Connection, seen: Access, cap: int) -> int:
    return int(connection.execute(_COUNT, {"workspace": str(seen.workspace_id), "cap": cap}).scalar_one())


def insert(
    connection: Connection, held: Access, id: UUID, name: str, position: str, *, is_inbox: bool = False
) -> dict[str, Any] | None:
    """The new list; None when the id is taken."""
    parameters = {
        "id": str(id),
        "workspace": str(held.workspace_id),
        "name": name,
        "is_inbox": is_inbox,
        "position": position,
        "revision": held.revision,
    }
    row = connection.execute(_INSERT, parameters).mappings().one_or_none()
    return dict(row) if row else None


def rename(connection: Connection, held: Access, id: UUID, name: str) -> dict[str, Any]:
    return dict(connection.execute(_CHANGE, {"id": str(id), "name": name, "revision": held.revision}).mappings().one())


def delete(connection: Connection, held: Access, id: UUID) -> None:
    connection.execute(_DELETE, {"id": str(id), "revision": held.revision})


def restore(connection: Connection, held: Access, id: UUID) -> dict[str, Any]:
    return dict(connection.execute(_RESTORE, {"id": str(id), "revision": held.revision}).mappings().one())
