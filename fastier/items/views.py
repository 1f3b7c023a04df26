"""The routes of items."""

from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from fastier.items import board as boards
from fastier.items import listing, reminders, service, states
from fastier.items.schemas import Board, BoardQuery, Item, ItemPatch, ItemsQuery, Move, NewItem, ReminderList
from fastier.web.call import Call, Reply
from fastier.web.pages import TOTAL_CAP
from fastier.web.routing import Routes
from fastier.web.schemas import PageOf, PageQuery
from fastier.workspaces import access
from fastier.workspaces.access import etag_of
from fastier.workspaces.deeds import Deed

routes = Routes("items")


@routes.get("/lists/{list_id}/items", returns=PageOf[Item])
def list_items(call: Call, list_id: UUID, query: ItemsQuery) -> Reply:
    """The items of a list, or of one of its sections, in their order; completed ones only where asked for."""
    seen = access.to_read(call.connection, call.viewer, "lists", list_id)
    etag = call.not_modified(seen.etag)
    section = query.section_id and query.section_id.lower()
    purpose = _purpose(query.completed, section)
    after = call.after(query, purpose=purpose)
    rows = listing.page(call.connection, list_id, section, query.completed, after, query.limit + 1)
    total = None
    if query.include:
        total = listing.count(call.connection, list_id, section, query.completed, TOTAL_CAP + 1)
    return call.page_reply(
        rows, query, purpose=purpose, key=lambda row: _key(row, query.completed), etag=etag, total=total
    )


def _purpose(completed: str, section: str | None) -> str:
    """What a cursor of such a page is for."""
    return f"items:{completed}" + (f":{section}" if section else "")


def _key(item: dict[str, Any], completed: str) -> list[Any]:
    return [item["completed_at" if completed == "true" else "position"], item["id"]]


@routes.get("/lists/{list_id}/board", returns=Board)
def get_board(call: Call, list_id: UUID, query: BoardQuery) -> Reply:
    """A list as columns: the items of no section, then each section, with its counts and its first cards."""
    seen = access.to_read(call.connection, call.viewer, "lists", list_id)
    etag = call.not_modified(seen.etag)
    after = call.cursors.read("board", query.cursor) if query.cursor else None
    shown = boards.board(call.connection, list_id, query.completed, query.cards, after)
    columns = [_column(call, column, query.completed) for column in shown.columns]
    following = call.cursors.write("board", shown.columns[-1].place) if shown.more else None
    return Reply({"columns": columns, "next_cursor": following}, etag=etag)


def _column(call: Call, column: boards.Column, completed: str) -> dict[str, Any]:
    purpose = _purpose(completed, column.section["id"] if column.section else "none")
    return {
        "section": column.section,
        "open_count": column.open_count,
        "done_count": column.done_count,
        "cards": column.cards,
        "next_cursor": call.cursors.write(purpose, _key(column.cards[-1], completed)) if column.more else None,
    }


@routes.post("/lists/{list_id}/items", returns=Item, status=201, refusals=(409,))
def create_item(call: Call, list_id: UUID, body: NewItem) -> Reply:
    """Create an item at the end of a list; tags that are not there yet are created with it."""
    id = body.id or uuid7()
    deed = Deed("item.created", subject_id=id, item_id=id)
    held = access.to_write(call.connection, call.viewer, "lists", list_id, deed=deed)
    made = service.create_item(call.connection, call.viewer, held, list_id, id, body)
    return _reply(made, 201)


@routes.get("/items/{item_id}", returns=Item)
def get_item(call: Call, item_id: UUID) -> Reply:
    """One item."""
    found = service.get_item(call.connection, call.viewer, item_id)
    return Reply(found, etag=call.not_modified(etag_of(found["revision"])))


@routes.get("/items/{item_id}/subtasks", returns=PageOf[Item])
def list_subtasks(call: Call, item_id: UUID, query: PageQuery) -> Reply:
    """The items whose parent it is, in their order, completed ones too."""
    seen = access.to_read(call.connection, call.viewer, "items", item_id)
    etag = call.not_modified(seen.etag)
    rows = listing.subtasks(call.connection, item_id, call.after(query, purpose="subtasks"), query.limit + 1)
    total = listing.count_subtasks(call.connection, item_id, TOTAL_CAP + 1) if query.include else None
    return call.page_reply(
        rows, query, purpose="subtasks", key=lambda row: [row["position"], row["id"]], etag=etag, total=total
    )


# Without an ETag: a reminder changes when it is sent, which writes nothing to its workspace.
@routes.get("/items/{item_id}/reminders", returns=ReminderList, conditional=False)
def list_reminders(call: Call, item_id: UUID) -> Reply:
    """Your own reminders of an item; send `reminders` with the item to change them."""
    access.to_read(call.connection, call.viewer, "items", item_id)
    return Reply({"data": reminders.own(call.connection, call.viewer, item_id)})


@routes.patch("/items/{item_id}", returns=Item)
def change_item(call: Call, item_id: UUID, body: ItemPatch) -> Reply:
    """Change an item: only what is sent changes, null clears."""
    deed = Deed("item.changed", data={"fields": sorted(body.sent())})
    held = access.to_write(call.connection, call.viewer, "items", item_id, deed=deed)
    there = service.get_item(call.connection, call.viewer, item_id)
    call.require_match(etag_of(there["revision"]))
    return _reply(service.change_item(call.connection, call.viewer, held, there, body))


@routes.delete("/items/{item_id}", conditional=True, refusals=(409,))
def delete_item(call: Call, item_id: UUID) -> Reply:
    """Delete an item with its subtasks; it can be restored with them."""
    held = access.to_write(call.connection, call.viewer, "items", item_id, deed=Deed("item.deleted"))
    there = service.get_item(call.connection, call.viewer, item_id)
    call.require_match(etag_of(there["revision"]))
    states.delete_item(call.connection, held, there)
    return Reply(status=204)


@routes.post("/items/{item_id}/move", returns=Item)
def move_item(call: Call, item_id: UUID, body: Move) -> Reply:
    """Move an item, with its subtasks, within its list, to a section, or to another list of the workspace."""
    deed = Deed("item.moved", data={"fields": sorted(body.model_fields_set)})
    held = access.to_write(call.connection, call.viewer, "items", item_id, deed=deed)
    there = service.get_item(call.connection, call.viewer, item_id)
    return _reply(service.move_item(call.connection, held, there, body))


@routes.post("/items/{item_id}/complete", returns=Item)
def complete_item(call: Call, item_id: UUID) -> Reply:
    """Mark an item as done, with its open subtasks; one that recurs is due on its next date instead."""
    held = access.to_write(call.connection, call.viewer, "items", item_id, deed=Deed("item.completed"))
    return _reply(states.complete_item(call.connection, call.viewer, held, item_id))


@routes.post("/items/{item_id}/reopen", returns=Item)
def reopen_item(call: Call, item_id: UUID) -> Reply:
    """Mark an item as not done, with what was completed with it, and what it lies beneath."""
    held = access.to_write(call.connection, call.viewer, "items", item_id, deed=Deed("item.reopened"))
    return _reply(states.reopen_item(call.connection, call.viewer, held, item_id))


@routes.post("/items/{item_id}/restore", returns=Item)
def restore_item(call: Call, item_id: UUID) -> Reply:
    """Bring a deleted item back to where it was, with what was deleted with it."""
    held = access.to_write(call.connection, call.viewer, "items", item_id, deleted=True, deed=Deed("item.restored"))
    return _reply(states.restore_item(call.connection, call.viewer, held, item_id))


def _reply(item: dict[str, Any], status: int = 200) -> Reply:
    return Reply(item, status, etag_of(item["revision"]))
