"""SQL about sections; reads are bound to the viewer, writes to the workspace that the viewer has locked."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, TextClause, text

from fastier.web.viewer import Viewer
from fastier.workspaces.access import Access

_COLUMNS = """CAST(s.id AS text), CAST(s.list_id AS text), s.name, s.position, s.created_at, s.updated_at, s.revision"""

_ONE = text(
    f"""SELECT {_COLUMNS} FROM sections s
    JOIN lists l ON l.id = s.list_id AND l.deleted_at IS NULL
    JOIN workspaces w ON w.id = s.workspace_id AND w.deleted_at IS NULL
    JOIN members m ON m.workspace_id = w.id AND m.user_id = :viewer
    WHERE s.id = :id AND s.deleted_at IS NULL"""
)


def _page(condition: str) -> TextClause:
    return text(
        f"""SELECT {_COLUMNS} FROM sections s WHERE s.list_id = :list AND s.deleted_at IS NULL {condition}
        ORDER BY s.position, s.id LIMIT :limit"""
    )


_PAGE, _PAGE_AFTER = _page(""), _page("AND (s.position, s.id) > (:position, CAST(:id AS uuid))")
_COUNT = text(
    """SELECT count(*) FROM (SELECT FROM sections s WHERE s.list_id = :list AND s.deleted_at IS NULL
    LIMIT :cap) counted"""
)
# No more than fit are made; the workspace is locked, so nobody makes another one meanwhile.
_INSERT = text(
    f"""WITH room AS (
        SELECT count(*) < :most AS is_there FROM (
            SELECT FROM sections WHERE list_id = :list AND deleted_at IS NULL LIMIT :most) counted),
    made AS (
        INSERT INTO sections AS s (id, workspace_id, list_id, name, position, revision)
        SELECT :id, :workspace, :list, :name, :position, :revision FROM room WHERE is_there
        ON CONFLICT (id) DO NOTHING RETURNING {_COLUMNS})
    SELECT room.is_there, made.* FROM room LEFT JOIN made ON true"""
)


def _update(assignment: str) -> TextClause:
    return text(
        f"""UPDATE sections s SET {assignment}, revision = :revision, updated_at = now()
        WHERE s.id = :id AND s.deleted_at IS NULL RETURNING {_COLUMNS}"""
    )


_RENAME, _PLACE = _update("name = :name"), _update("position = :position")
_SIZE = text("SELECT open_count + done_count FROM sections WHERE id = :id")
# The section's date is what its restoration finds its items by.
_DELETE = text(
    """WITH gone AS (
        UPDATE sections SET deleted_at = now(), revision = :revision, updated_at = now()
        WHERE id = :id AND deleted_at IS NULL RETURNING id)
    UPDATE items i SET deleted_at = now(), revision = :revision, updated_at = now() FROM gone
    WHERE i.section_id = gone.id AND i.deleted_at IS NULL"""
)
_RESTORE = text(
    f"""WITH gone AS (SELECT id, deleted_at FROM sections WHERE id = :id AND deleted_at IS NOT NULL),
    items_too AS (
        UPDATE items i SET deleted_at = NULL, revision = :revision, updated_at = now() FROM gone
        WHERE i.section_id = gone.id AND i.deleted_at = gone.deleted_at)
    UPDATE sections s SET deleted_at = NULL, revision = :revision, updated_at = now() FROM gone
    WHERE s.id = gone.id RETURNING {_COLUMNS}"""
)
# What was purged meanwhile, or came back by itself, is not counted any more.
_RECOUNT = text(
    """UPDATE items p SET subtask_count = c.live FROM (
        SELECT p.id, count(c.id) AS live FROM items p LEFT JOIN items c ON c.parent_id = p.id AND c.deleted_at IS NULL
        WHERE p.section_id = :id AND p.deleted_at IS NULL AND p.subtask_count > 0 GROUP BY p.id) c
    WHERE p.id = c.id AND p.subtask_count <> c.live"""
)
# Its order among those that are deleted too, so that none comes back to where another one is.
_NEIGHBOURS = {
    "after": text(
        """SELECT a.position AS low, (SELECT min(n.position) FROM sections n
            WHERE n.list_id = a.list_id AND n.position > a.position AND n.id <> :id) AS high
        FROM sections a JOIN sections s ON s.id = :id AND s.list_id = a.list_id
        WHERE a.id = :anchor AND a.id <> s.id AND a.deleted_at IS NULL"""
    ),
    "before": text(
        """SELECT a.position AS high, (SELECT max(n.position) FROM sections n
            WHERE n.list_id = a.list_id AND n.position < a.position AND n.id <> :id) AS low
        FROM sections a JOIN sections s ON s.id = :id AND s.list_id = a.list_id
        WHERE a.id = :anchor AND a.id <> s.id AND a.deleted_at IS NULL"""
    ),
}
_ORDER = text(
    """SELECT id, position FROM sections WHERE list_id = (SELECT list_id FROM sections WHERE id = :id) AND id <> :id
    ORDER BY position, id"""
)
_SPREAD = text(
    """UPDATE sections s SET position = n.position, revision = :revision
    FROM unnest(CAST(:ids AS uuid[]), CAST(:positions AS text[])) AS n (id, position) WHERE s.id = n.id"""
)


def one(connection: Connection, viewer: Viewer, id: UUID) -> dict[str, Any] | None:
    """A live section that the viewer may see."""
    return _row(connection, _ONE, {"id": str(id), "viewer": str(viewer.user_id)})


def page(connection: Connection, list_id: UUID, after: list[Any] | None, limit: int) -> list[dict[str, Any]]:
    """The sections, in their order, of a list to which the viewer's access has been checked."""
    parameters: dict[str, Any] = {"list": str(list_id), "limit": limit}
    if after:
        parameters |= {"position": after[0], "id": after[1]}
    return [dict(row) for row in connection.execute(_PAGE_AFTER if after else _PAGE, parameters).mappings()]


def count(connection: Connection, list_id: UUID, cap: int) -> int:
    return int(connection.execute(_COUNT, {"list": str(list_id), "cap": cap}).scalar_one())


def insert(
    connection: Connection, held: Access, list_id: UUID, fields: dict[str, Any], most: int
) -> tuple[bool, dict[str, Any] | None]:
    """Whether the list has room for one more, and the new section: None without room, or when the id is taken."""
    parameters = {
        **fields,
        "list": str(list_id),
        "workspace": str(held.workspace_id),
        "revision": held.revision,
        "most": most,
    }
    row = dict(connection.execute(_INSERT, parameters).mappings().one())
    has_room = row.pop("is_there")
    return has_room, row if row["id"] else None


def rename(connection: Connection, held: Access, id: UUID, name: str) -> dict[str, Any] | None:
    return _row(connection, _RENAME, {"id": str(id), "name": name, "revision": held.revision})


def place(connection: Connection, held: Access, id: UUID, position: str) -> dict[str, Any] | None:
    return _row(connection, _PLACE, {"id": str(id), "position": position, "revision": held.revision})


def size(connection: Connection, id: UUID) -> int:
    """How many live items the section holds."""
    return int(connection.execute(_SIZE, {"id": str(id)}).scalar_one())


def delete(connection: Connection, held: Access, id: UUID) -> None:
    """Delete the section and its live items, all with the same date."""
    connection.execute(_DELETE, {"id": str(id), "revision": held.revision})


def restore(connection: Connection, held: Access, id: UUID) -> dict[str, Any] | None:
    """The section again, with the items that were deleted with it."""
    restored = _row(connection, _RESTORE, {"id": str(id), "revision": held.revision})
    connection.execute(_RECOUNT, {"id": str(id)})
    return restored


def neighbours(connection: Connection, side: str, anchor: UUID, id: UUID) -> tuple[str | None, str | None] | None:
    """The order keys that `id` goes between, beside `anchor`; None when the anchor is no other section of its list."""
    row = connection.execute(_NEIGHBOURS[side], {"anchor": str(anchor), "id": str(id)}).one_or_none()
    return (row.low, row.high) if row else None


def order(connection: Connection, id: UUID) -> list[tuple[str, str]]:
    """The ids and order keys of all other sections of the list."""
    return [(str(row.id), row.position) for row in connection.execute(_ORDER, {"id": str(id)})]


def spread(connection: Connection, held: Access, ids: list[str], keys: list[str]) -> None:
    """Give sections new order keys."""
    connection.execute(_SPREAD, {"ids": ids, "positions": keys, "revision": held.revision})


def _row(connection: Connection, statement: TextClause, parameters: dict[str, Any]) -> dict[str, Any] | None:
    row = connection.execute(statement, parameters).mappings().one_or_none()
    return dict(row) if row else None
