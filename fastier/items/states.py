"""The rules of what is done and what is deleted: an item goes with what lies beneath it, and comes back with it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from fastier.errors import NotFound
from fastier.items import due, family, placing, queries, reminders
from fastier.items.service import found, get_item
from fastier.web.viewer import Viewer
from fastier.workspaces.access import Access


def complete_item(connection: Connection, viewer: Viewer, held: Access, id: UUID) -> dict[str, Any]:
    """Complete an item with its open subtasks, or move a recurring one on to its next date."""
    done = queries.complete(connection, held, id)
    if done is not None:
        return done
    there = get_item(connection, viewer, id)
    if there["completed_at"] is None and there["recurrence"] is not None:
        moved_on = _move_on(connection, viewer, held, there)
        if moved_on is not None:
            return moved_on
    ids = [there["id"], *family.beneath(connection, there).ids]
    family.complete(connection, held, ids)
    reminders.switch_off(connection, ids)
    return get_item(connection, viewer, id)


def _move_on(connection: Connection, viewer: Viewer, held: Access, there: dict[str, Any]) -> dict[str, Any] | None:
    """The item with its next date, its subtasks open anew; None when there is no next date."""
    after = due.after_done(viewer, there, datetime.now(UTC))
    if after is None:
        return None
    family.reopen(connection, held, family.beneath(connection, there).ids)
    fields = {"due_date": after.day, "rrule": after.rrule}
    moved = found(queries.change(connection, held, UUID(there["id"]), fields))
    reminders.refresh(connection, [there["id"]])
    return moved


def reopen_item(connection: Connection, viewer: Viewer, held: Access, id: UUID) -> dict[str, Any]:
    """Reopen an item, what was completed with it, and what lies above it: nothing open lies beneath what is done."""
    there = get_item(connection, viewer, id)
    others = [*family.done_with(connection, there).ids, *family.done_above(connection, id)]
    family.reopen(connection, held, others)
    reopened = found(queries.change(connection, held, id, {"completed_at": None}))
    if there["completed_at"] is not None:
        reminders.refresh(connection, [there["id"], *others])
    return reopened


def delete_item(connection: Connection, held: Access, there: dict[str, Any]) -> None:
    """Delete an item with all that lies beneath it."""
    beneath = family.beneath(connection, there)
    family.delete(connection, held, [there["id"], *beneath.ids])
    reminders.switch_off(connection, [there["id"], *beneath.ids])
    if there["parent_id"]:
        family.recount(connection, held, [there["parent_id"]])


def restore_item(connection: Connection, viewer: Viewer, held: Access, id: UUID) -> dict[str, Any]:
    """Bring an item back with what was deleted with it: to its parent, or where that is gone to the list itself."""
    gone = family.deleted(connection, id)
    if gone is None:
        raise NotFound
    beneath = family.deleted_with(connection, id)
    place = placing.of_restored(connection, held, gone, beneath)
    ids = [str(id), *beneath.ids]
    family.restore(connection, held, ids, place.list_id, place.section_id)
    if place.list_id != gone["list_id"]:
        family.put_last(connection, held, ids, first=0)
    restored = found(queries.change(connection, held, id, place.columns))
    if beneath.ids or gone["parent_id"]:
        family.recount(connection, held, [*ids, *filter(None, (gone["parent_id"],))])
        restored = get_item(connection, viewer, id)
    reminders.refresh(connection, ids)
    return restored
