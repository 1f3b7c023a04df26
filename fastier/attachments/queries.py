"""SQL about attachments; reads are bound to the viewer, writes to the workspace that the viewer has locked."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from fastier.web.viewer import Viewer
from fastier.workspaces.access import Access

_COLUMNS = """a.id, a.item_id, a.status, a.file_name, a.content_type, a.size, a.checksum, a.created_by, a.created_at,
    a.completed_at, a.revision"""
# What only the rules need, and no client sees.
_INNER = f"{_COLUMNS}, a.sniffed_type, a.object_key, a.upload_id, a.workspace_id"
SHOWN = tuple(name.strip().removeprefix("a.") for name in _COLUMNS.split(","))

_VISIBLE = """FROM attachments a
    JOIN items i ON i.id = a.item_id AND i.deleted_at IS NULL
    JOIN lists l ON l.id = i.list_id AND l.deleted_at IS NULL
    JOIN workspaces w ON w.id = a.workspace_id AND w.deleted_at IS NULL
    JOIN members m ON m.workspace_id = w.id AND m.user_id = :viewer"""
_ONE = text(f"SELECT {_INNER} {_VISIBLE} WHERE a.id = :id AND a.deleted_at IS NULL")
_PAGE = text(
    f"""SELECT {_COLUMNS} FROM attachments a
    WHERE a.item_id = :item AND a.status = 'ready' AND a.deleted_at IS NULL
      AND (CAST(:after AS uuid) IS NULL OR a.id > CAST(:after AS uuid))
    ORDER BY a.id LIMIT :limit"""
)
_COUNT = text(
    """SELECT count(*) FROM (SELECT FROM attachments WHERE item_id = :item AND status = 'ready' AND deleted_at IS NULL
    LIMIT :cap) counted"""
)
_RESERVE = text(
    """UPDATE workspaces SET storage_used = storage_used + :size
    WHERE id = :workspace AND storage_used + :size <= storage_quota RETURNING id"""
)
_INSERT = text(
    f"""INSERT INTO attachments AS a
        (id, workspace_id, item_id, created_by, file_name, content_type, size, checksum, object_key, revision)
    VALUES (:id, :workspace, :item, :viewer, :file_name, :content_type, :size, :checksum, :object_key, :revision)
    ON CONFLICT (id) DO NOTHING RETURNING {_COLUMNS}"""
)
_SET_UPLOAD_ID = text(
    "UPDATE attachments SET upload_id = :upload_id WHERE id = :id AND upload_id IS NULL AND status = 'uploading'"
)
_MAKE_READY = text(
    f"""WITH a AS (
        UPDATE attachments SET status = 'ready', completed_at = now(), sniffed_type = :sniffed_type,
            checksum = :checksum, upload_id = NULL, revision = :revision
        WHERE id = :id AND status = 'uploading' AND deleted_at IS NULL RETURNING *),
    counted AS (
        UPDATE items SET attachment_count = attachment_count + 1, revision = :revision, updated_at = now()
        WHERE id = (SELECT item_id FROM a))
    SELECT {_COLUMNS} FROM a"""
)
_DELETE = text(
    """WITH a AS (
        UPDATE attachments SET deleted_at = now(), revision = :revision
        WHERE id = :id AND deleted_at IS NULL RETURNING *),
    counted AS (
        UPDATE items SET attachment_count = attachment_count - 1, revision = :revision, updated_at = now()
        WHERE id = (SELECT item_id FROM a WHERE status = 'ready')),
    freed AS (
        UPDATE workspaces SET storage_used = storage_used - (SELECT size FROM a)
        WHERE id = (SELECT workspace_id FROM a))
    SELECT id FROM a"""
)


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """The part of a row that clients see."""
    return {name: row[name] for name in SHOWN}


def one(connection: Connection, viewer: Viewer, id: UUID) -> dict[str, Any] | None:
    """A live attachment that the viewer may see, with what only the rules need."""
    row = connection.execute(_ONE, {"id": str(id), "viewer": str(viewer.user_id)}).mappings().one_or_none()
    return dict(row) if row else None


def page(connection: Connection, item_id: UUID, after: str | None, limit: int) -> list[dict[str, Any]]:
    """The ready attachments of an item to which the viewer's access has been checked."""
    parameters = {"item": str(item_id), "after": after, "limit": limit}
    return [dict(row) for row in connection.execute(_PAGE, parameters).mappings()]


def count(connection: Connection, item_id: UUID, cap: int) -> int:
    return int(connection.execute(_COUNT, {"item": str(item_id), "cap": cap}).scalar_one())


def reserve(connection: Connection, held: Access, size: int) -> bool:
    """Count these bytes against the workspace's quota; False when they are too many."""
    parameters = {"workspace": str(held.workspace_id), "size": size}
    return connection.execute(_RESERVE, parameters).one_or_none() is not None


def insert(connection: Connection, held: Access, fields: dict[str, Any]) -> dict[str, Any] | None:
    """The new attachment; None when the id is taken."""
    parameters = {**fields, "workspace": str(held.workspace_id), "revision": held.revision}
    row = connection.execute(_INSERT, parameters).mappings().one_or_none()
    return dict(row) if row else None


def set_upload_id(connection: Connection, id: UUID, upload_id: str) -> bool:
    """Keep the id of the upload in parts; False when another was first."""
    return bool(connection.execute(_SET_UPLOAD_ID, {"id": str(id), "upload_id": upload_id}).rowcount)


def make_ready(
    connection: Connection, held: Access, id: UUID, checksum: str | None, sniffed_type: str | None
) -> dict[str, Any] | None:
    """Count the attachment as one of its item's; None when it is ready already, or gone."""
    parameters = {"id": str(id), "checksum": checksum, "sniffed_type": sniffed_type, "revision": held.revision}
    row = connection.execute(_MAKE_READY, parameters).mappings().one_or_none()
    return dict(row) if row else None


def delete(connection: Connection, held: Access, id: UUID) -> bool:
    """Hide the attachment and free its bytes; the sweeper deletes the object."""
    return connection.execute(_DELETE, {"id": str(id), "revision": held.revision}).one_or_none() is not None
