"""SQL about items; reads are bound to the viewer, writes to the workspace that the viewer has locked."""

from datetime import date, time
from functools import cache
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


_FIELDS = """id, workspace_id, list_id, section_id, parent_id, title, notes, priority, due_date, due_time, due_timezone,
    rrule, recurrence_mode, recurrence_text, assignee_id, position, revision"""
_VALUES = """:id, :workspace, :list, :section_id, :parent_id, :title, :notes, :priority, :due_date, :due_time,
    :due_timezone, :rrule, :recurrence_mode, :recurrence_text, :assignee_id, :position, :revision"""
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

_LINKS = "INSERT INTO item_tags (item_id, tag_id, workspace_id) SELECT i.id, c.id, :workspace FROM i, carried c"
_UNDER_PARENT = """UPDATE items SET subtask_count = subtask_count + 1, revision = :revision, updated_at = now()
        WHERE id = :parent_id AND EXISTS (SELECT FROM i)"""
_REMINDED = """INSERT INTO reminders (id, workspace_id, item_id, user_id, minutes_before, at, fires_at)
        SELECT r.id, :workspace, {item}, :viewer, r.minutes_before, r.at, r.fires_at
        FROM {source}unnest(CAST(:reminder_ids AS uuid[]), CAST(:reminder_minutes AS int[]),
            CAST(:reminder_ats AS timestamptz[]), CAST(:reminder_fires AS timestamptz[]))
            AS r (id, minutes_before, at, fires_at)"""


@cache
def _insert(*, is_tagged: bool, has_parent: bool, is_reminded: bool) -> TextClause:
    """The statement that makes an item with all that hangs on it, without the parts that it does not need."""
    parts = [f"i AS ({_MADE})"]
    names = "SELECT CAST(NULL AS text[]) AS names, CAST(NULL AS bigint) AS revision"
    if is_tagged:
        parts += [_CARRIED.format(only_if="AND EXISTS (SELECT FROM i)"), f"links AS ({_LINKS})"]
        names = "SELECT array_agg(name ORDER BY folded) AS names, max(revision) AS revision FROM carried"
    if has_parent:
        parts.append(f"parent AS ({_UNDER_PARENT})")
    if is_reminded:
        parts.append(f"reminded AS ({_REMINDED.format(item='i.id', source='i, ')})")
    return text(f"WITH {', '.join(parts)} SELECT {_COLUMNS} FROM i, ({names}) g")


_RETAG = text(
    f"""WITH {_CARRIED.format(only_if="")},
    dropped AS (DELETE FROM item_tags it WHERE it.item_id = :id AND it.tag_id NOT IN (SELECT id FROM carried))
    INSERT INTO item_tags (item_id, tag_id, workspace_id) SELECT :id, id, :workspace FROM carried
    ON CONFLICT DO NOTHING"""
)

# The viewer's own, all of them anew.
_REMIND = text(
    f"""WITH dropped AS (DELETE FROM reminders WHERE item_id = :id AND user_id = :viewer)
    {_REMINDED.format(item="CAST(:id AS uuid)", source="")}"""
)

_CHANGEABLE = (
    "title", "notes", "priority", "due_date", "due_time", "due_timezone", "rrule", "recurrence_mode",
    "recurrence_text", "completed_at", "list_id", "section_id", "parent_id", "assignee_id", "position",
)  # fmt: skip
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
        "due": due_body(due_date, due_time, due_timezone) if due_date else None,
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


def due_body(due_date: date, due_time: time | None, zone: str | None) -> dict[str, Any]:
    """A due date as the API shows it."""
    return {"date": due_date, "time": due_time.strftime("%H:%M") if due_time else None, "timezone": zone}


def one(connection: Connection, viewer: Viewer, id: UUID) -> dict[str, Any] | None:
    """A live item that the viewer may see."""
    row = connection.execute(_ONE, {"id": str(id), "viewer": str(viewer.user_id)}).one_or_none()
    return item_body(row) if row else None


def insert(
    connection: Connection, held: Access, fields: dict[str, Any], tags: dict[str, Any], reminders: dict[str, Any]
) -> dict[str, Any] | None:
    """The new item with its tags and reminders, counted at its parent, by one statement; None when the id is taken."""
    parameters = {**fields, **tags, **reminders, "workspace": str(held.workspace_id), "revision": held.revision}
    statement = _insert(
        is_tagged=bool(tags["tag_names"]),
        has_parent=fields["parent_id"] is not None,
        is_reminded=bool(reminders["reminder_ids"]),
    )
    row = connection.execute(statement, parameters).one_or_none()
    return item_body(row) if row else None


def change(connection: Connection, held: Access, id: UUID, fields: dict[str, Any]) -> dict[str, Any] | None:
    """Write the given columns and stamp the item; the item as it then is, None when it has gone."""
    names = tuple(name for name in _CHANGEABLE if name in fields)
    return _one_changed(connection, _change(names), held, id, fields)


def _change(names: tuple[str, ...]) -> TextClause:
    if names not in _CHANGES:
        _CHANGES[names] = _update("".join(f"{name} = :{name}, " for name in names))
    return _CHANGES[names]


def _update(assignments: str, condition: str = "true", also: str = "") -> TextClause:
    # The item may have gone while this write waited for the lock: then nothing is written.
    return text(
        f"""WITH i AS (UPDATE items SET {assignments}revision = :revision, updated_at = now()
            WHERE id = :id AND deleted_at IS NULL AND {condition} RETURNING *){also}
        SELECT {_COLUMNS} FROM i {_TAGS}"""
    )


# Most items are completed by this one statement; one that recurs or has subtasks takes more.
_COMPLETE = _update(
    "completed_at = coalesce(completed_at, now()), ",
    "subtask_count = 0 AND (rrule IS NULL OR completed_at IS NOT NULL)",
    """, quiet AS (UPDATE reminders SET fires_at = NULL
            WHERE item_id = (SELECT id FROM i) AND fires_at IS NOT NULL)""",
)


def complete(connection: Connection, held: Access, id: UUID) -> dict[str, Any] | None:
    """Complete an item that neither recurs nor has subtasks, and remind nobody of it; None for any other."""
    return _one_changed(connection, _COMPLETE, held, id)


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


def remind(connection: Connection, held: Access, id: UUID, reminders: dict[str, Any]) -> None:
    """Give the viewer exactly these reminders of the item."""
    connection.execute(_REMIND, {"id": str(id), "workspace": str(held.workspace_id), **reminders})
