"""The rules of sections."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from fastier import positions
from fastier.errors import Conflict, FieldError, Invalid, NotFound
from fastier.sections import queries
from fastier.sections.schemas import NewSection, SectionMove, SectionPatch
from fastier.web.call import AnswerInstead, Reply
from fastier.web.viewer import Viewer
from fastier.workspaces.access import Access, etag_of
from fastier.workspaces.service import id_taken

# More columns than anybody reads; and what one statement deletes while the workspace is locked.
MOST_SECTIONS = 500
MOST_ITEMS = 10_000


def get_section(connection: Connection, viewer: Viewer, id: UUID) -> dict[str, Any]:
    return found(queries.one(connection, viewer, id))


def found(section: dict[str, Any] | None) -> dict[str, Any]:
    if section is None:
        raise NotFound
    return section


def create_section(
    connection: Connection, viewer: Viewer, held: Access, list_id: UUID, id: UUID, new: NewSection
) -> dict[str, Any]:
    """A section at the end of its list; an id that the viewer can see already gives what is there."""
    fields = {"id": str(id), "name": new.name, "position": positions.last(held.revision)}
    has_room, made = queries.insert(connection, held, list_id, fields, MOST_SECTIONS)
    if made is not None:
        return made
    there = queries.one(connection, viewer, id)
    if there is not None:
        raise AnswerInstead(Reply(there, 201, etag_of(there["revision"])))
    if not has_room:
        raise Conflict(f"A list has at most {MOST_SECTIONS} sections.", code="too_many_sections")
    raise id_taken()


def change_section(connection: Connection, held: Access, there: dict[str, Any], patch: SectionPatch) -> dict[str, Any]:
    name = patch.sent().get("name", there["name"])
    return found(queries.rename(connection, held, UUID(there["id"]), name))


def move_section(connection: Connection, held: Access, id: UUID, move: SectionMove) -> dict[str, Any]:
    """Put the section beside another one of its list, or at the end."""
    return found(queries.place(connection, held, id, _position(connection, held, id, move)))


def _position(connection: Connection, held: Access, id: UUID, move: SectionMove) -> str:
    anchor = move.before or move.after
    if anchor is None:
        return positions.last(held.revision)
    side = "before" if move.before else "after"
    between = queries.neighbours(connection, side, anchor, id)
    if between is None:
        detail = "There is no such other section in that list."
        raise Invalid(detail, errors=[FieldError(f"/{side}", detail)])
    low, high = between
    if low is None:
        return positions.first(held.revision)
    if high is None:
        return positions.last(held.revision)
    key = positions.between(low, high)
    return key if len(key) <= positions.LONGEST else _spread(connection, held, id, low)


def _spread(connection: Connection, held: Access, id: UUID, low: str) -> str:
    """Give all sections of the list new keys; the one behind `low` is for the section that moves."""
    others = queries.order(connection, id)
    keys = [positions.last(held.revision, index) for index in range(len(others) + 1)]
    place = sum(position <= low for _, position in others)
    queries.spread(connection, held, [other for other, _ in others], keys[:place] + keys[place + 1 :])
    return keys[place]


def delete_section(connection: Connection, held: Access, id: UUID) -> None:
    """Delete the section with its items; Conflict when they are too many for one statement."""
    if queries.size(connection, id) > MOST_ITEMS:
        raise Conflict(
            f"The section holds more than {MOST_ITEMS} items; move or delete some of them first.", code="too_many_items"
        )
    queries.delete(connection, held, id)
