"""SQL about items; reads are bound to the viewer, writes to the workspace that the viewer has locked."""

from datetime import date, time
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, TextClause, text

from fastier.web.viewer import Viewer
from fastier.workspaces.access import Access

# Renaming or deleting a tag changes every item that carries it without writing to any: the item's revision is the
# highest of its own and of its tags'.
# Ids leave as text, which is what the answer needs; making an object of each would cost as much as reading the row.
_COLUMNS = """CAST(i.id AS text), CAST(i.list_id AS text), CAST(i.section_id AS text), CAST(i.parent_id AS text),
    i.title, i.notes, i.priority, g.names AS tags, i.due_date, i.due_time, i.due_timezone,
    i.rrule, i.recurrence_mode, i.recurrence_text, i.completed_at, CAST(i.assignee_id AS text), i.position,
    i.subtask_count, i.attachment_count, i.comment_count, i.created_at, i.updated_at,
    greatest(i.revision, g.revision) AS revision"""
_TAGS = """LEFT JOIN LATERAL (
        SELECT array_agg(t.name ORDER BY t.folded) FILTER (WHERE t.deleted_at IS NULL) AS names,
            max(t.revision) AS revision
        FROM item_tags it JOIN tags t ON t.id = it.tag_id WHERE it.item_id = i.id) g ON true"""
# For features that find items by other means: what `item_body` takes, of items called `i`.
ITEM_COLUMNS, ITEM_TAGS = _COLUMNS, _TAGS

_ONE = text(
    f"""SELECT {_COLUMNS} FROM items i {_TAGS}
    JOIN lists l ON l.id = i.list_id AND l.deleted_at IS NULL
    JOIN workspaces w ON w.id = i.workspace_id AND w.deleted_at IS NULL
    JOIN members m ON m.workspace_id = w.id AND m.user_id = :viewer
    WHERE i.id = :id AND i.deleted_at IS NULL"""
)


def _page(condition: str, order: str) -> TextClause:
    return text(
        f"""SELECT {_COLUMNS} FROM (SELECT * FROM items
            WHERE list_id = :list AND deleted_at IS NULL AND {condition} ORDER BY {order} LIMIT :limit) i {_TAGS}
        ORDER BY {order}"""
    )


_BY_POSITION, _LATEST_FIRST = "position, id", "completed_at DESC, id DESC"
_AFTER_POSITION = "(position, id) > (:key, CAST(:id AS uuid))"
_PAGES = {
    ("false", False): _page("completed_at IS NULL", _BY_POSITION),
    ("false", True): _page(f"completed_at IS NULL AND {_AFTER_POSITION}", _BY_POSITION),
    ("true", False): _page("completed_at IS NOT NULL", _LATEST_FIRST),
    ("true", True): _page(
        "completed_at IS NOT NULL AND (completed_at, id) < (CAST(:key AS timestamptz), CAST(:id AS uuid))",
        _LATEST_FIRST,
    ),
    ("any", False): _page("true", _BY_POSITION),
    ("any", True): _page(_AFTER_POSITION, _BY_POSITION),
}
_COMPLETED = {"false": "completed_at IS NULL", "true": "completed_at IS NOT NULL", "any": "true"}
_COUNTS = {
    which: text(
        f"""SELECT count(*) FROM (SELECT FROM items WHERE list_id = :list AND deleted_at IS NULL AND {condition}
        LIMIT :cap) counted"""
    )
    for which, condition in _COMPLETED.items()
}

_FIELDS = """id, workspace_id, list_id, title, notes, priority, due_date, due_time, due_timezone, position, revision"""
_VALUES = """:id, :workspace, :list, :title, :notes, :priority, :due_date, :due_time, :due_timezone, :position,
    :revision"""
_MADE = f"INSERT INTO items ({_FIELDS}) VALUES ({_VALUES}) ON CONFLICT (id) DO NOTHING RETURNING *"

# Tags that are not there yet are made, and all of them are linked, in the one statement that makes the item: the
# workspace is locked, so nobody else makes the same tag meanwhile.
_CARRIED = """wanted AS (
        SELECT * FROM unnest(CAST(:tag_ids AS uuid[]), CAST(:tag_names AS text[]), CAST(:tag_folded AS text[]))
        AS w (id, name, folded)),
    there AS (
        SELECT t.id, t.name, t.folded, t.revision FROM wanted w JOIN tags t ON t.workspace_id = :workspace
          AND t.folded = w.folded COLLATE "C" AND t.deleted_at IS NULL),
    made_tags AS (
        INSERT INTO tags (id, workspace_id, name, folded, revision)
        SELECT w.id, :workspace, w.name, w.folded, :revision FROM wanted w
        WHERE w.folded COLLATE "C" NOT IN (SELECT folded FROM there) {only_if}
        RETURNING id, name, folded, revision),
    carried AS (SELECT * FROM there UNION ALL SELECT * FROM made_tags)"""

_INSERT = text(
    f"""WITH i AS ({_MADE})
    SELECT {_COLUMNS} FROM i, (SELECT CAST(NULL AS text[]) AS names, CAST(NULL AS bigint) AS revision) g"""
)
_INSERT_TAGGED = text(
    f"""WITH i AS ({_MADE}), {_CARRIED.format(only_if="AND EXISTS (SELECT FROM i)")},
    links AS (INSERT INTO item_tags (item_id, tag_id, workspace_id) SELECT i.id, c.id, :workspace FROM i, carried c)
    SELECT {_COLUMNS}
    FROM i, (SELECT array_agg(name ORDER BY folded) AS names, max(revision) AS revision FROM carried) g"""
)
_RETAG = text(
    f"""WITH {_CARRIED.format(only_if="")},
    dropped AS (DELETE FROM item_tags it WHERE it.item_id = :id AND it.tag_id NOT IN (SELECT id FROM carried))
    INSERT INTO item_tags (item_id, tag_id, workspace_id) SELECT :id, id, :workspace FROM carried
    ON CONFLICT DO NOTHING"""
)

_CHANGEABLE = (
    "title", "notes", "priority", "due_date", "due_time", "due_timezone", "completed_at", "list_id", "position",
)  # fmt: skip
_NEIGHBOURS = {
    "after": text(
        """SELECT a.position AS low, (SELECT min(n.position) FROM items n
            WHERE n.list_id = :list AND n.position > a.position AND n.id <> :id) AS high
        FROM items a WHERE a.id = :anchor AND a.list_id = :list AND a.deleted_at IS NULL"""
    ),
    "before": text(
        """SELECT a.position AS high, (SELECT max(n.position) FROM items n
            WHERE n.list_id = :list AND n.position < a.position AND n.id <> :id) AS low
        FROM items a WHERE a.id = :anchor AND a.list_id = :list AND a.deleted_at IS NULL"""
    ),
}
_NEXT_ROWS = text(
    """SELECT id, position FROM items WHERE list_id = :list AND position > :low AND id <> :id
    ORDER BY position, id LIMIT :limit"""
)
_SPREAD = text(
    """UPDATE items i SET position = s.position, revision = :revision
    FROM unnest(CAST(:ids AS uuid[]), CAST(:positions AS text[])) AS s (id, position) WHERE i.id = s.id"""
)
_LIST_IS_HERE = text("SELECT FROM lists WHERE id = :list AND workspace_id = :workspace AND deleted_at IS NULL")
_CHANGES: dict[tuple[str, ...], TextClause] = {}


def item_body(row: Any) -> dict[str, Any]:
    """A row of `_COLUMNS` as the API shows it."""
    (id, list_id, section_id, parent_id, title, notes, priority, tags, due_date, due_time, due_timezone,
     rrule, mode, recurrence_text, completed_at, assignee_id, position, subtask_count, attachment_count,
     comment_count, created_at, updated_at, revision) = row  # fmt: skip
    return {
        "id": id,
        "list_id": list_id,
        "section_id": section_id,
        "parent_id": parent_id,
        "title": title,
        "notes": notes,
        "priority": priority,
        "tags": tags or [],
        "due": _due_body(due_date, due_time, due_timezone) if due_date else None,
        "recurrence": {"rrule": rrule, "mode": mode, "text": recurrence_text} if rrule else None,
        "completed_at": completed_at,
        "assignee_id": assignee_id,
        "position": position,
        "subtask_count": subtask_count,
        "attachment_count": attachment_count,
        "comment_count": comment_count,
        "created_at": created_at,
        "updated_at": updated_at,
        "revision": revision,
    }


def _due_body(due_date: date, due_time: time | None, zone: str | None) -> dict[str, Any]:
    return {"date": due_date, "time": due_time.strftime("%H:%M") if due_time else None, "timezone": zone}


def one(connection: Connection, viewer: Viewer, id: UUID) -> dict[str, Any] | None:
    """A live item that the viewer may see."""
    row = connection.execute(_ONE, {"id": str(id), "viewer": str(viewer.user_id)}).one_or_none()
    return item_body(row) if row else None


def page(
    connection: Connection, list_id: UUID, completed: str, after: list[Any] | None, limit: int
) -> list[dict[str, Any]]:
    """Items of a list to which the viewer's access has been checked, after the given sort key."""
    parameters: dict[str, Any] = {"list": str(list_id), "limit": limit}
    if after:
        parameters |= {"key": after[0], "id": after[1]}
    return [item_body(row) for row in connection.execute(_PAGES[completed, after is not None], parameters).all()]


def count(connection: Connection, list_id: UUID, completed: str, cap: int) -> int:
    return int(connection.execute(_COUNTS[completed], {"list": str(list_id), "cap": cap}).scalar_one())


def insert(connection: Connection, held: Access, fields: dict[str, Any], tags: dict[str, Any]) -> dict[str, Any] | None:
    """The new item with its tags, by one statement; None when the id is taken."""
    parameters = {**fields, "workspace": str(held.workspace_id), "revision": held.revision}
    if tags["tag_names"]:
        row = connection.execute(_INSERT_TAGGED, parameters | tags).one_or_none()
    else:
        row = connection.execute(_INSERT, parameters).one_or_none()
    return item_body(row) if row else None


def change(connection: Connection, held: Access, id: UUID, fields: dict[str, Any]) -> dict[str, Any] | None:
    """Write the given columns and stamp the item; the item as it then is, None when it has gone."""
    names = tuple(name for name in _CHANGEABLE if name in fields)
    return _one_changed(connection, _change(names), held, id, fields)


def _change(names: tuple[str, ...]) -> TextClause:
    if names not in _CHANGES:
        _CHANGES[names] = _update("".join(f"{name} = :{name}, " for name in names))
    return _CHANGES[names]


def _update(assignments: str, condition: str = "deleted_at IS NULL") -> TextClause:
    # The item may have gone while this write waited for the lock: then nothing is written.
    return text(
        f"""WITH i AS (UPDATE items SET {assignments}revision = :revision, updated_at = now()
            WHERE id = :id AND {condition} RETURNING *)
        SELECT {_COLUMNS} FROM i {_TAGS}"""
    )


_COMPLETE = _update("completed_at = coalesce(completed_at, now()), ")
_DELETE = _update("deleted_at = now(), ")
_RESTORE = _update("deleted_at = NULL, ", "deleted_at IS NOT NULL")


def complete(connection: Connection, held: Access, id: UUID) -> dict[str, Any] | None:
    return _one_changed(connection, _COMPLETE, held, id)


def delete(connection: Connection, held: Access, id: UUID) -> dict[str, Any] | None:
    return _one_changed(connection, _DELETE, held, id)


def restore(connection: Connection, held: Access, id: UUID) -> dict[str, Any] | None:
    return _one_changed(connection, _RESTORE, held, id)


def _one_changed(
    connection: Connection,
    statement: TextClause,
    held: Access,
    id: UUID,
    fields: dict[str, Any] | None = None,
) -> dict[str, Any] | None:
    parameters = {**(fields or {}), "id": str(id), "revision": held.revision}
    row = connection.execute(statement, parameters).one_or_none()
    return item_body(row) if row else None


def retag(connection: Connection, held: Access, id: UUID, tags: dict[str, Any]) -> None:
    """Make the item carry exactly these tags; those that are not there yet are made."""
    workspace = str(held.workspace_id)
    connection.execute(_RETAG, {"id": str(id), "workspace": workspace, "revision": held.revision, **tags})


def list_is_here(connection: Connection, held: Access, list_id: UUID) -> bool:
    """Whether the list is a live one of the locked workspace."""
    parameters = {"list": str(list_id), "workspace": str(held.workspace_id)}
    return connection.execute(_LIST_IS_HERE, parameters).one_or_none() is not None


def neighbours(
    connection: Connection, side: str, list_id: UUID, anchor: UUID, id: UUID
) -> tuple[str | None, str | None] | None:
    """The order keys that `id` goes between, beside `anchor`; None when the anchor is not in the list."""
    parameters = {"list": str(list_id), "anchor": str(anchor), "id": str(id)}
    row = connection.execute(_NEIGHBOURS[side], parameters).one_or_none()
    return (row.low, row.high) if row else None


def next_rows(connection: Connection, list_id: UUID, low: str, id: UUID, limit: int) -> list[tuple[str, str]]:
    """The ids and order keys that follow `low` in the list, other than `id`."""
    rows = connection.execute(_NEXT_ROWS, {"list": str(list_id), "low": low, "id": str(id), "limit": limit})
    return [(row.id, row.position) for row in rows]


def spread(connection: Connection, held: Access, ids: list[str], keys: list[str]) -> None:
    """Give rows new order keys."""
    connection.execute(_SPREAD, {"ids": ids, "positions": keys, "revision": held.revision})
