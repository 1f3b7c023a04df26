"""The rules of items."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from fastier import positions
from fastier.errors import FieldError, Invalid, NotFound
from fastier.items import queries
from fastier.items.schemas import Due, DuePatch, ItemPatch, Move, NewItem
from fastier.tags.queries import fold
from fastier.web.call import AnswerInstead, Reply
from fastier.web.viewer import Viewer
from fastier.workspaces.access import Access, etag_of
from fastier.workspaces.service import id_taken

# How many rows are spread out when a gap between two items has been halved too often.
SPREAD_ROWS = 200


def get_item(connection: Connection, viewer: Viewer, id: UUID) -> dict[str, Any]:
    return _found(queries.one(connection, viewer, id))


def complete_item(connection: Connection, held: Access, id: UUID) -> dict[str, Any]:
    return _found(queries.complete(connection, held, id))


def reopen_item(connection: Connection, held: Access, id: UUID) -> dict[str, Any]:
    return _found(queries.change(connection, held, id, {"completed_at": None}))


def delete_item(connection: Connection, held: Access, id: UUID) -> None:
    _found(queries.delete(connection, held, id))


def restore_item(connection: Connection, held: Access, id: UUID) -> dict[str, Any]:
    return _found(queries.restore(connection, held, id))


def _found(item: dict[str, Any] | None) -> dict[str, Any]:
    if item is None:
        raise NotFound
    return item


def create_item(connection: Connection, viewer: Viewer, held: Access, list_id: UUID, new: NewItem) -> dict[str, Any]:
    """An item at the end of its list; an id that the viewer can see already gives what is there."""
    fields = {
        "id": str(new.id or uuid7()),
        "list": str(list_id),
        "title": new.title,
        "notes": new.notes,
        "priority": new.priority,
        "position": positions.last(held.revision),
        **_due_fields(viewer, new.due),
    }
    made = queries.insert(connection, held, fields, _tag_parameters(new.tags))
    if made is None:
        assert new.id is not None, "two random ids are never the same"
        there = queries.one(connection, viewer, new.id)
        if there is None:
            raise id_taken()
        raise AnswerInstead(Reply(there, 201, etag_of(there["revision"])))
    return made


def change_item(
    connection: Connection, viewer: Viewer, held: Access, there: dict[str, Any], patch: ItemPatch
) -> dict[str, Any]:
    """Apply a merge patch; only the columns that were sent are written."""
    sent = patch.sent()
    fields: dict[str, Any] = {name: sent[name] for name in ("title", "notes", "priority") if name in sent}
    if "due" in sent:
        fields |= _due_fields(viewer, _merged_due(there["due"], patch.due) if patch.due else None)
    if "tags" in sent:
        queries.retag(connection, held, UUID(there["id"]), _tag_parameters(patch.tags))
    return _found(queries.change(connection, held, UUID(there["id"]), fields))


def move_item(connection: Connection, held: Access, there: dict[str, Any], move: Move) -> dict[str, Any]:
    """Put the item into a list of the same workspace, beside another item or at the end."""
    id, list_id = UUID(there["id"]), move.list_id or UUID(there["list_id"])
    if move.list_id and not queries.list_is_here(connection, held, list_id):
        raise _fault("/list_id", "There is no such list in this workspace.")
    position = _position(connection, held, list_id, id, move)
    return _found(queries.change(connection, held, id, {"list_id": str(list_id), "position": position}))


def _position(connection: Connection, held: Access, list_id: UUID, id: UUID, move: Move) -> str:
    anchor = move.before or move.after
    if anchor is None:
        return positions.last(held.revision)
    side = "before" if move.before else "after"
    found = queries.neighbours(connection, side, list_id, anchor, id) if anchor != id else None
    if found is None:
        raise _fault(f"/{side}", "There is no such other item in that list.")
    low, high = found
    if low is None:
        return positions.first(held.revision)
    if high is None:
        return positions.last(held.revision)
    key = positions.between(low, high)
    return key if len(key) <= positions.LONGEST else _spread(connection, held, list_id, id, low)


def _spread(connection: Connection, held: Access, list_id: UUID, id: UUID, low: str) -> str:
    """Make room after `low` by giving the rows that follow new keys; the first of them is for the moved item."""
    rows = queries.next_rows(connection, list_id, low, id, SPREAD_ROWS + 1)
    moved, beyond = rows[:SPREAD_ROWS], rows[SPREAD_ROWS:]
    high = beyond[0][1] if beyond else positions.last(held.revision)
    keys = positions.spread(low, high, len(moved) + 1)
    queries.spread(connection, held, [str(row_id) for row_id, _ in moved], keys[1:])
    return keys[0]


def _merged_due(there: dict[str, Any] | None, patch: DuePatch) -> Due:
    """The due date with the fields that were sent; without a date there is nothing to merge into."""
    merged = {**(there or {}), **patch.sent()}
    if "date" not in merged:
        raise _fault("/due/date", "A due date needs a date.")
    if merged.get("time") is None:
        if patch.sent().get("timezone"):
            raise _fault("/due/timezone", "A time zone needs a time.")
        merged["timezone"] = None
    return Due.model_validate(merged, strict=False)


def _due_fields(viewer: Viewer, due: Due | None) -> dict[str, Any]:
    if due is None:
        return {"due_date": None, "due_time": None, "due_timezone": None}
    zone = (due.timezone or viewer.timezone) if due.time else None
    return {"due_date": due.date, "due_time": due.time, "due_timezone": zone}


def _tag_parameters(names: list[str]) -> dict[str, Any]:
    """Each name once, whatever its case, with an id in case it is new."""
    wanted = {fold(name): name for name in reversed(names)}
    return {
        "tag_ids": [str(uuid7()) for _ in wanted],
        "tag_names": list(wanted.values()),
        "tag_folded": list(wanted),
    }


def _fault(pointer: str, detail: str) -> Invalid:
    return Invalid(detail, errors=[FieldError(pointer, detail)])
