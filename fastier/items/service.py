"""The rules of items: made, changed and moved."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from fastier import positions
from fastier.errors import Conflict, Invalid, NotFound
from fastier.items import due, family, ordering, placing, queries, reminders
from fastier.items.family import NOBODY, Beneath
from fastier.items.placing import Place
from fastier.items.schemas import ItemPatch, Move, NewItem
from fastier.tags.queries import fold
from fastier.web.call import AnswerInstead, Reply
from fastier.web.viewer import Viewer
from fastier.workspaces.access import Access, etag_of
from fastier.workspaces.service import id_taken

_PLACES = frozenset(("section_id", "parent_id", "assignee_id"))


def get_item(connection: Connection, viewer: Viewer, id: UUID) -> dict[str, Any]:
    return found(queries.one(connection, viewer, id))


def found(item: dict[str, Any] | None) -> dict[str, Any]:
    if item is None:
        raise NotFound
    return item


def create_item(
    connection: Connection, viewer: Viewer, held: Access, list_id: UUID, id: UUID, new: NewItem
) -> dict[str, Any]:
    """An item at the end of its list; an id that the viewer can see already gives what is there."""
    try:
        place = placing.of_new(connection, held, list_id, new)
    except (Invalid, Conflict):
        # The same request again may find its section gone; what it made is still there.
        _answer_with_what_is_there(connection, viewer, id)
        raise
    dates = due.of_new(viewer, new)
    fields = {
        "id": str(id),
        "list": place.list_id,
        "section_id": place.section_id,
        "parent_id": place.parent_id,
        "assignee_id": str(new.assignee_id) if new.assignee_id else None,
        "title": new.title,
        "notes": new.notes,
        "priority": new.priority,
        "position": positions.last(held.revision),
        **dates,
    }
    own = reminders.parameters_of(viewer, new.reminders, dates, is_over=False)
    made = queries.insert(connection, held, fields, _tag_parameters(new.tags), own)
    if made is None:
        _answer_with_what_is_there(connection, viewer, id)
        raise id_taken()
    return made


def _answer_with_what_is_there(connection: Connection, viewer: Viewer, id: UUID) -> None:
    there = queries.one(connection, viewer, id)
    if there is not None:
        raise AnswerInstead(Reply(there, 201, etag_of(there["revision"])))


def change_item(
    connection: Connection, viewer: Viewer, held: Access, there: dict[str, Any], patch: ItemPatch
) -> dict[str, Any]:
    """Apply a merge patch; only the columns that were sent are written."""
    sent = patch.sent()
    id = UUID(there["id"])
    fields: dict[str, Any] = {name: sent[name] for name in ("title", "notes", "priority") if name in sent}
    dates = due.of_patch(viewer, there, patch)
    fields |= dates
    if _PLACES & sent.keys():
        fields |= _placed(connection, held, there, patch)
    if "tags" in sent:
        queries.retag(connection, held, id, _tag_parameters(patch.tags))
    if "reminders" in sent:
        is_over = there["completed_at"] is not None
        own = reminders.parameters_of(viewer, patch.reminders, due.columns_of(there) | dates, is_over=is_over)
        queries.remind(connection, held, id, own)
    changed = found(queries.change(connection, held, id, fields))
    if dates:
        reminders.refresh(connection, [there["id"]])
    if fields.get("parent_id", there["parent_id"]) != there["parent_id"]:
        family.recount(connection, held, [each for each in (there["parent_id"], fields["parent_id"]) if each])
    return changed


def _placed(connection: Connection, held: Access, there: dict[str, Any], patch: ItemPatch) -> dict[str, Any]:
    """The columns of the item's new place, and of whom it is assigned to; what lies beneath it goes along."""
    sent = patch.sent()
    moves = bool({"section_id", "parent_id"} & sent.keys())
    beneath = family.beneath(connection, there) if moves else NOBODY
    place = placing.of_patch(connection, held, there, patch, beneath)
    fields: dict[str, Any] = {}
    if "assignee_id" in sent:
        fields["assignee_id"] = str(patch.assignee_id) if patch.assignee_id else None
    if moves:
        fields |= place.columns
        _take_along(connection, held, there, place, beneath)
    return fields


def move_item(connection: Connection, held: Access, there: dict[str, Any], move: Move) -> dict[str, Any]:
    """Put the item into a list of the same workspace and a section of it, beside another item or at the end."""
    id = UUID(there["id"])
    place = placing.of_move(connection, held, there, move)
    position = ordering.position(connection, held, UUID(place.list_id), id, move)
    if place != Place.of(there):
        _take_along(connection, held, there, place, family.beneath(connection, there))
    moved = found(queries.change(connection, held, id, {**place.columns, "position": position}))
    if there["parent_id"] != place.parent_id:
        family.recount(connection, held, [there["parent_id"]])
    return moved


def _take_along(connection: Connection, held: Access, there: dict[str, Any], place: Place, beneath: Beneath) -> None:
    """Move what lies beneath an item to its list and section; in another list it comes after all that is there."""
    if (place.list_id, place.section_id) == (there["list_id"], there["section_id"]):
        return
    family.relocate(connection, held, beneath.ids, place.list_id, place.section_id)
    if place.list_id != there["list_id"]:
        family.put_last(connection, held, beneath.ids, first=1)


def _tag_parameters(names: list[str]) -> dict[str, Any]:
    """Each name once, whatever its case, with an id in case it is new."""
    wanted = {fold(name): name for name in reversed(names)}
    return {
        "tag_ids": [str(uuid7()) for _ in wanted],
        "tag_names": list(wanted.values()),
        "tag_folded": list(wanted),
    }
