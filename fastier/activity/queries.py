"""SQL about activity; the rows are written by the statement that takes a write's revision."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, TextClause, text

from fastier.workspaces.access import Access

KEPT = "1 year"


def _page(condition: str) -> TextClause:
    return text(
        f"""SELECT a.id, a.kind, CAST(a.actor_id AS text), u.name AS actor_name, CAST(a.subject_id AS text),
            CAST(a.item_id AS text), i.title AS item_title, a.data, a.revision, a.at
        FROM (SELECT * FROM activities WHERE {condition} AND (CAST(:after AS bigint) IS NULL OR id < :after)
            ORDER BY id DESC LIMIT :limit) a
        LEFT JOIN users u ON u.id = a.actor_id
        LEFT JOIN items i ON i.id = a.item_id AND i.workspace_id = a.workspace_id
        ORDER BY a.id DESC"""
    )


_OF_WORKSPACE = _page("workspace_id = :workspace")
_OF_ITEM = _page("item_id = :item AND workspace_id = :workspace")
_COUNTED = "SELECT count(*) FROM (SELECT FROM activities WHERE {condition} LIMIT :cap) counted"
_COUNT_OF_WORKSPACE = text(_COUNTED.format(condition="workspace_id = :workspace"))
_COUNT_OF_ITEM = text(_COUNTED.format(condition="item_id = :item AND workspace_id = :workspace"))
_PURGE = text(
    f"""DELETE FROM activities WHERE id IN (
        SELECT id FROM activities WHERE at < now() - interval '{KEPT}' ORDER BY at LIMIT :limit)"""
)


def of_workspace(connection: Connection, seen: Access, after: int | None, limit: int) -> list[dict[str, Any]]:
    """What was done in the workspace, latest first, before the given id."""
    return _rows(connection, _OF_WORKSPACE, seen, {"after": after, "limit": limit})


def of_item(connection: Connection, seen: Access, item_id: UUID, after: int | None, limit: int) -> list[dict[str, Any]]:
    """What was done to the item and what hangs on it, latest first, before the given id."""
    return _rows(connection, _OF_ITEM, seen, {"item": str(item_id), "after": after, "limit": limit})


def _rows(
    connection: Connection, statement: TextClause, seen: Access, parameters: dict[str, Any]
) -> list[dict[str, Any]]:
    rows = connection.execute(statement, {"workspace": str(seen.workspace_id), **parameters})
    return [dict(row) for row in rows.mappings()]


def count_of_workspace(connection: Connection, seen: Access, cap: int) -> int:
    parameters = {"workspace": str(seen.workspace_id), "cap": cap}
    return int(connection.execute(_COUNT_OF_WORKSPACE, parameters).scalar_one())


def count_of_item(connection: Connection, seen: Access, item_id: UUID, cap: int) -> int:
    parameters = {"workspace": str(seen.workspace_id), "item": str(item_id), "cap": cap}
    return int(connection.execute(_COUNT_OF_ITEM, parameters).scalar_one())


def purge(connection: Connection, limit: int) -> int:
    """Delete up to `limit` rows older than a year; how many were deleted."""
    return int(connection.execute(_PURGE, {"limit": limit}).rowcount)
