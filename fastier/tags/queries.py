"""SQL about tags; reads are bound to the viewer, writes to the workspace that the viewer has locked."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from fastier.web.viewer import Viewer
from fastier.workspaces.access import Access

_COLUMNS = "t.id, t.workspace_id, t.name, t.created_at, t.updated_at, t.revision"

_ONE = text(
    f"""SELECT {_COLUMNS} FROM tags t
    JOIN workspaces w ON w.id = t.workspace_id AND w.deleted_at IS NULL
    JOIN members m ON m.workspace_id = w.id AND m.user_id = :viewer
    WHERE t.id = :id AND t.deleted_at IS NULL"""
)
_PAGE = text(
    f"""SELECT {_COLUMNS} FROM tags t WHERE t.workspace_id = :workspace AND t.deleted_at IS NULL
      AND (CAST(:after AS text) IS NULL OR t.folded > :after)
    ORDER BY t.folded LIMIT :limit"""
)
_COUNT = text(
    """SELECT count(*) FROM (SELECT FROM tags t WHERE t.workspace_id = :workspace AND t.deleted_at IS NULL
    LIMIT :cap) counted"""
)
_INSERT = text(
    f"""INSERT INTO tags AS t (id, workspace_id, name, folded, revision)
    VALUES (:id, :workspace, :name, :folded, :revision) ON CONFLICT DO NOTHING RETURNING {_COLUMNS}"""
)
_RENAME = text(
    f"""UPDATE tags t SET name = :name, folded = :folded, revision = :revision, updated_at = now()
    WHERE t.id = :id RETURNING {_COLUMNS}"""
)
_DELETE = text("UPDATE tags SET deleted_at = now(), revision = :revision, updated_at = now() WHERE id = :id")
_RESTORE = text(
    f"""UPDATE tags t SET deleted_at = NULL, revision = :revision, updated_at = now() WHERE t.id = :id
    RETURNING {_COLUMNS}"""
)


def fold(name: str) -> str:
    """By this tags are unique and sorted: the name without case, the same on every server."""
    return name.casefold()


def one(connection: Connection, viewer: Viewer, id: UUID) -> dict[str, Any] | None:
    """A live tag that the viewer may see."""
    row = connection.execute(_ONE, {"id": str(id), "viewer": str(viewer.user_id)}).mappings().one_or_none()
    return dict(row) if row else None


def page(connection: Connection, seen: Access, after: str | None, limit: int) -> list[dict[str, Any]]:
    """The workspace's tags by name."""
    parameters = {"workspace": str(seen.workspace_id), "after": after, "limit": limit}
    return [dict(row) for row in connection.execute(_PAGE, parameters).mappings()]


def count(connection: Connection, seen: Access, cap: int) -> int:
    return int(connection.execute(_COUNT, {"workspace": str(seen.workspace_id), "cap": cap}).scalar_one())


def insert(connection: Connection, held: Access, id: UUID, name: str) -> dict[str, Any] | None:
    """The new tag; None when the id or the name is taken."""
    parameters = {
        "id": str(id),
        "workspace": str(held.workspace_id),
        "name": name,
        "folded": fold(name),
        "revision": held.revision,
    }
    row = connection.execute(_INSERT, parameters).mappings().one_or_none()
    return dict(row) if row else None


def rename(connection: Connection, held: Access, id: UUID, name: str) -> dict[str, Any]:
    parameters = {"id": str(id), "name": name, "folded": fold(name), "revision": held.revision}
    return dict(connection.execute(_RENAME, parameters).mappings().one())


def delete(connection: Connection, held: Access, id: UUID) -> None:
    connection.execute(_DELETE, {"id": str(id), "revision": held.revision})


def restore(connection: Connection, held: Access, id: UUID) -> dict[str, Any]:
    return dict(connection.execute(_RESTORE, {"id": str(id), "revision": held.revision}).mappings().one())
