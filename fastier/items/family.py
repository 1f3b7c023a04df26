"""SQL about subtasks: what lies above and beneath an item, and what is done to all of it; the workspace is locked."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, TextClause, text

from fastier import positions
from fastier.errors import Conflict
from fastier.workspaces.access import Access

# An item of its own is at level 0.
MOST_LEVELS = 4
MOST_CHILDREN = 500
# What one step changes while the workspace is locked.
MOST_BENEATH = 10_000

# Where an item is to live: `line` is the parent and all above it, from below; it is empty for a parent not found.
_PLACE = text(
    f"""WITH RECURSIVE line AS (
        SELECT id, parent_id, section_id, completed_at, subtask_count, 0 AS height FROM items
        WHERE id = CAST(:parent AS uuid) AND list_id = :list AND deleted_at IS NULL
        UNION ALL
        SELECT i.id, i.parent_id, i.section_id, i.completed_at, i.subtask_count, l.height + 1
        FROM line l JOIN items i ON i.id = l.parent_id WHERE l.height <= {MOST_LEVELS})
    SELECT ARRAY(SELECT CAST(id AS text) FROM line ORDER BY height) AS line,
        (SELECT CAST(section_id AS text) FROM line WHERE height = 0) AS parent_section,
        (SELECT completed_at IS NOT NULL FROM line WHERE height = 0) AS parent_is_done,
        (SELECT subtask_count FROM line WHERE height = 0) AS siblings,
        EXISTS (SELECT FROM lists WHERE id = :list AND workspace_id = :workspace AND deleted_at IS NULL) AS has_list,
        EXISTS (SELECT FROM sections WHERE id = CAST(:section AS uuid) AND list_id = :list AND deleted_at IS NULL)
            AS has_section,
        EXISTS (SELECT FROM members WHERE workspace_id = :workspace AND user_id = CAST(:assignee AS uuid))
            AS has_assignee"""
)


def _beneath(condition: str) -> TextClause:
    return text(
        f"""WITH RECURSIVE tree AS (
            SELECT id, completed_at, deleted_at, position, 0 AS depth FROM items WHERE id = :id
            UNION ALL
            SELECT i.id, i.completed_at, i.deleted_at, i.position, t.depth + 1
            FROM tree t JOIN items i ON i.parent_id = t.id AND {condition} WHERE t.depth <= {MOST_LEVELS})
        SELECT CAST(id AS text), depth FROM tree WHERE depth > 0 ORDER BY position, id LIMIT {MOST_BENEATH + 1}"""
    )


_LIVE = _beneath("i.deleted_at IS NULL")
# What was done in one step has one date.
_DONE_WITH_IT = _beneath("i.deleted_at IS NULL AND i.completed_at = t.completed_at")
_DELETED_WITH_IT = _beneath("i.deleted_at = t.deleted_at")
_DONE_ABOVE = text(
    f"""WITH RECURSIVE line AS (
        SELECT id, parent_id, completed_at, 0 AS height FROM items WHERE id = :id
        UNION ALL
        SELECT i.id, i.parent_id, i.completed_at, l.height + 1
        FROM line l JOIN items i ON i.id = l.parent_id WHERE l.height <= {MOST_LEVELS})
    SELECT CAST(id AS text) FROM line WHERE height > 0 AND completed_at IS NOT NULL"""
)
_DELETED = text(
    """SELECT CAST(i.list_id AS text), CAST(i.section_id AS text), CAST(i.parent_id AS text),
        i.completed_at IS NOT NULL AS is_done, CAST(p.list_id AS text) AS parent_list
    FROM items i LEFT JOIN items p ON p.id = i.parent_id AND p.deleted_at IS NULL
    WHERE i.id = :id AND i.deleted_at IS NOT NULL"""
)


def _update(assignments: str, condition: str = "true") -> TextClause:
    return text(
        f"""UPDATE items SET {assignments}, revision = :revision, updated_at = now()
        WHERE id = ANY (CAST(:ids AS uuid[])) AND {condition}"""
    )


_COMPLETE = _update("completed_at = now()", "completed_at IS NULL AND deleted_at IS NULL")
_REOPEN = _update("completed_at = NULL", "completed_at IS NOT NULL AND deleted_at IS NULL")
_DELETE = _update("deleted_at = now()", "deleted_at IS NULL")
_RELOCATE = _update("list_id = :list, section_id = :section")
_RESTORE = _update("deleted_at = NULL, list_id = :list, section_id = :section")
_PUT_LAST = text(
    """UPDATE items i SET position = n.position
    FROM unnest(CAST(:ids AS uuid[]), CAST(:positions AS text[])) AS n (id, position) WHERE i.id = n.id"""
)
# The children of one that lies in the trash are those that were deleted with it.
_RECOUNT = _update(
    """subtask_count = (
            SELECT count(*) FROM items c
            WHERE c.parent_id = items.id AND c.deleted_at IS NOT DISTINCT FROM items.deleted_at)"""
)


@dataclass(frozen=True, slots=True)
class Beneath:
    """The items beneath one, in their order, and how many levels they take."""

    ids: list[str]
    levels: int


NOBODY = Beneath([], 0)


def place(
    connection: Connection,
    held: Access,
    list_id: str,
    *,
    section: str | None,
    parent: str | None,
    assignee: str | None = None,
) -> RowMapping:
    """What is there of a place that an item is to have, see _PLACE."""
    parameters = {
        "list": list_id,
        "workspace": str(held.workspace_id),
        "section": section,
        "parent": parent,
        "assignee": assignee,
    }
    return connection.execute(_PLACE, parameters).mappings().one()


def beneath(connection: Connection, item: dict[str, Any]) -> Beneath:
    """All live items beneath a live item; Conflict when they are too many for one step."""
    return _tree(connection, _LIVE, item["id"]) if item["subtask_count"] else NOBODY


def done_with(connection: Connection, item: dict[str, Any]) -> Beneath:
    """The items beneath that were completed in the same step."""
    return _tree(connection, _DONE_WITH_IT, item["id"]) if item["subtask_count"] else NOBODY


def deleted_with(connection: Connection, id: UUID) -> Beneath:
    """The items beneath that were deleted in the same step."""
    return _tree(connection, _DELETED_WITH_IT, str(id))


def _tree(connection: Connection, statement: TextClause, id: str) -> Beneath:
    rows = connection.execute(statement, {"id": id}).all()
    if len(rows) > MOST_BENEATH:
        raise Conflict(
            f"More than {MOST_BENEATH} items lie beneath it; do this to parts of them first.", code="too_many_items"
        )
    return Beneath([row.id for row in rows], max((row.depth for row in rows), default=0))


def done_above(connection: Connection, id: UUID) -> list[str]:
    """The completed items above one."""
    return list(connection.execute(_DONE_ABOVE, {"id": str(id)}).scalars())


def deleted(connection: Connection, id: UUID) -> RowMapping | None:
    """An item in the trash: list_id, section_id, parent_id, is_done; parent_list where its parent is live."""
    return connection.execute(_DELETED, {"id": str(id)}).mappings().one_or_none()


def complete(connection: Connection, held: Access, ids: list[str]) -> None:
    _each(connection, held, _COMPLETE, ids)


def reopen(connection: Connection, held: Access, ids: list[str]) -> None:
    _each(connection, held, _REOPEN, ids)


def delete(connection: Connection, held: Access, ids: list[str]) -> None:
    _each(connection, held, _DELETE, ids)


def restore(connection: Connection, held: Access, ids: list[str], list_id: str, section: str | None) -> None:
    _each(connection, held, _RESTORE, ids, list=list_id, section=section)


def relocate(connection: Connection, held: Access, ids: list[str], list_id: str, section: str | None) -> None:
    _each(connection, held, _RELOCATE, ids, list=list_id, section=section)


def put_last(connection: Connection, held: Access, ids: list[str], first: int) -> None:
    """Give items, in this order, the keys at the end of their list from the `first` of this write on."""
    keys = [positions.last(held.revision, first + index) for index in range(len(ids))]
    _each(connection, held, _PUT_LAST, ids, positions=keys)


def recount(connection: Connection, held: Access, ids: list[str]) -> None:
    """Make the number of subtasks right again."""
    _each(connection, held, _RECOUNT, ids)


def _each(connection: Connection, held: Access, statement: TextClause, ids: list[str], **more: Any) -> None:
    if ids:
        connection.execute(statement, {"ids": ids, "revision": held.revision, **more})
