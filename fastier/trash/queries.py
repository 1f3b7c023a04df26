"""SQL about what was deleted and can still be restored."""

from typing import Any

from sqlalchemy import Connection, TextClause, text

from fastier.workspaces.access import Access

# Of a comment as much as a line shows.
_SOURCES = {
    "list": ("lists", "name", "NULL::uuid", "NULL::uuid"),
    "section": ("sections", "name", "list_id", "NULL::uuid"),
    "tag": ("tags", "name", "NULL::uuid", "NULL::uuid"),
    "item": ("items", "title", "list_id", "NULL::uuid"),
    "comment": ("comments", "left(text, 200)", "NULL::uuid", "item_id"),
}


def _deleted(condition: str, order: str) -> str:
    """What was deleted of each kind, from an index led by the workspace."""
    return " UNION ALL ".join(
        f"""(SELECT '{kind}' AS type, id, {name} AS name, {list_id} AS list_id, {item_id} AS item_id, deleted_at
        FROM {table} WHERE workspace_id = :workspace AND deleted_at IS NOT NULL {condition} {order} LIMIT :limit)"""
        for kind, (table, name, list_id, item_id) in _SOURCES.items()
    )


def _page(condition: str) -> TextClause:
    order = "ORDER BY deleted_at DESC, id DESC"
    return text(
        f"""SELECT type, CAST(id AS text), name, CAST(list_id AS text), CAST(item_id AS text), deleted_at
        FROM ({_deleted(condition, order)}) t {order} LIMIT :limit"""
    )


_PAGE = _page("")
_PAGE_AFTER = _page("AND (deleted_at, id) < (CAST(:at AS timestamptz), CAST(:id AS uuid))")
_COUNT = text(f"SELECT count(*) FROM (SELECT FROM ({_deleted('', '')}) t LIMIT :limit) counted")


def deleted(connection: Connection, seen: Access, after: list[Any] | None, limit: int) -> list[dict[str, Any]]:
    """What was deleted in the workspace, latest first, before the given moment and id."""
    parameters: dict[str, Any] = {"workspace": str(seen.workspace_id), "limit": limit}
    if after:
        parameters |= {"at": after[0], "id": after[1]}
    rows = connection.execute(_PAGE_AFTER if after else _PAGE, parameters)
    return [dict(row) for row in rows.mappings()]


def count(connection: Connection, seen: Access, cap: int) -> int:
    return int(connection.execute(_COUNT, {"workspace": str(seen.workspace_id), "limit": cap}).scalar_one())
