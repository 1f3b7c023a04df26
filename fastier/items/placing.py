"""The rules of where an item is: in a section of its list, beneath a parent, and with whom."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping

from fastier.errors import Conflict, FieldError, Invalid
from fastier.items import family
from fastier.items.family import MOST_CHILDREN, MOST_LEVELS, Beneath
from fastier.items.schemas import ItemPatch, Move, NewItem
from fastier.workspaces.access import Access


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item is: its list, and there a section and a parent, or none."""

    list_id: str
    section_id: str | None
    parent_id: str | None

    @classmethod
    def of(cls, item: dict[str, Any]) -> "Place":
        return cls(item["list_id"], item["section_id"], item["parent_id"])

    @property
    def columns(self) -> dict[str, str | None]:
        return {"list_id": self.list_id, "section_id": self.section_id, "parent_id": self.parent_id}


def of_new(connection: Connection, held: Access, list_id: UUID, new: NewItem) -> Place:
    """Where a new item goes; Invalid for a section, a parent or an assignee that is not there."""
    section, parent, assignee = _text(new.section_id), _text(new.parent_id), _text(new.assignee_id)
    if section is None and parent is None and assignee is None:
        return Place(str(list_id), None, None)
    found = family.place(connection, held, str(list_id), section=section, parent=parent, assignee=assignee)
    _check(found, section, assignee)
    if parent is None:
        return Place(str(list_id), section, None)
    _check_parent(found, is_open=True)
    _check_same_section(found, section, is_named=new.section_id is not None)
    return Place(str(list_id), found["parent_section"], parent)


def of_patch(connection: Connection, held: Access, there: dict[str, Any], patch: ItemPatch, beneath: Beneath) -> Place:
    """Where the item is after the patch; a subtask follows its parent into its section."""
    sent = patch.sent()
    now = Place.of(there)
    section = _text(sent["section_id"]) if "section_id" in sent else now.section_id
    parent = _text(sent["parent_id"]) if "parent_id" in sent else now.parent_id
    assignee = _text(sent.get("assignee_id"))
    found = family.place(connection, held, now.list_id, section=section, parent=parent, assignee=assignee)
    _check(found, section if "section_id" in sent else None, assignee)
    if parent is None:
        return Place(now.list_id, section, None)
    if parent != now.parent_id:
        _check_parent(found, is_open=there["completed_at"] is None, item=there["id"], levels=beneath.levels)
    _check_same_section(found, section, is_named="section_id" in sent)
    return Place(now.list_id, found["parent_section"], parent)


def of_move(connection: Connection, held: Access, there: dict[str, Any], move: Move) -> Place:
    """Where the item goes; one that leaves its parent's section leaves its parent."""
    now = Place.of(there)
    list_id = _text(move.list_id) or now.list_id
    stays = list_id == now.list_id
    section = _text(move.section_id) if "section_id" in move.model_fields_set else now.section_id if stays else None
    if stays and section == now.section_id:
        return now
    found = family.place(connection, held, list_id, section=section, parent=None)
    if not found["has_list"]:
        raise _fault("/list_id", "There is no such list in this workspace.")
    _check(found, section, None)
    return Place(list_id, section, None)


def of_restored(connection: Connection, held: Access, gone: RowMapping, beneath: Beneath) -> Place:
    """Where a deleted item comes back to: to its parent if that has room for it, else to its list by itself."""
    list_id = gone["parent_list"] or gone["list_id"]
    found = family.place(connection, held, list_id, section=gone["section_id"], parent=gone["parent_id"])
    if found["line"] and found["has_list"]:
        try:
            _check_parent(found, is_open=not gone["is_done"], levels=beneath.levels)
        except (Invalid, Conflict):
            pass
        else:
            return Place(list_id, found["parent_section"], gone["parent_id"])
    if list_id != gone["list_id"]:
        found = family.place(connection, held, gone["list_id"], section=gone["section_id"], parent=None)
    return Place(gone["list_id"], gone["section_id"] if found["has_section"] else None, None)


def _check(found: RowMapping, section: str | None, assignee: str | None) -> None:
    if section is not None and not found["has_section"]:
        raise _fault("/section_id", "There is no such section in that list.")
    if assignee is not None and not found["has_assignee"]:
        raise _fault("/assignee_id", "Nobody in this workspace has this id.")


def _check_parent(found: RowMapping, *, is_open: bool, item: str | None = None, levels: int = 0) -> None:
    """Whether the parent can take one more, with so many levels beneath it."""
    if not found["line"]:
        raise _fault("/parent_id", "There is no such item in that list.")
    if item in found["line"]:
        raise _fault("/parent_id", "An item cannot lie beneath itself.")
    if len(found["line"]) + levels > MOST_LEVELS:
        raise _fault("/parent_id", f"Subtasks go {MOST_LEVELS} levels deep.")
    if is_open and found["parent_is_done"]:
        raise _fault("/parent_id", "That item is completed; reopen it first.")
    if found["siblings"] >= MOST_CHILDREN:
        raise Conflict(f"An item has at most {MOST_CHILDREN} subtasks.", code="too_many_subtasks")


def _check_same_section(found: RowMapping, section: str | None, *, is_named: bool) -> None:
    if is_named and section != found["parent_section"]:
        raise _fault("/section_id", "A subtask is in the section of its parent.")


def _text(id: UUID | None) -> str | None:
    return None if id is None else str(id)


def _fault(pointer: str, detail: str) -> Invalid:
    return Invalid(detail, errors=[FieldError(pointer, detail)])
