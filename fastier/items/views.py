"""The routes of items."""

from uuid import UUID

from uuid_utils.compat import uuid7

from fastier.items import queries, service
from fastier.items.schemas import Item, ItemPatch, ItemsQuery, Move, NewItem
from fastier.web.call import Call, Reply
from fastier.web.pages import TOTAL_CAP
from fastier.web.routing import Routes
from fastier.web.schemas import PageOf
from fastier.workspaces import access
from fastier.workspaces.access import etag_of
from fastier.workspaces.deeds import Deed

routes = Routes("items")


@routes.get("/lists/{list_id}/items", returns=PageOf[Item])
def list_items(call: Call, list_id: UUID, query: ItemsQuery) -> Reply:
    """The items of a list, in their order; completed ones only where asked for."""
    seen = access.to_read(call.connection, call.viewer, "lists", list_id)
    etag = call.not_modified(seen.etag)
    purpose = f"items:{query.completed}"
    after = call.after(query, purpose=purpose)
    rows = queries.page(call.connection, list_id, query.completed, after, query.limit + 1)
    total = queries.count(call.connection, list_id, query.completed, TOTAL_CAP + 1) if query.include else None
    column = "completed_at" if query.completed == "true" else "position"
    return call.page_reply(
        rows, query, purpose=purpose, key=lambda row: [row[column], row["id"]], etag=etag, total=total
    )


@routes.post("/lists/{list_id}/items", returns=Item, status=201, refusals=(409,))
def create_item(call: Call, list_id: UUID, body: NewItem) -> Reply:
    """Create an item at the end of a list; tags that are not there yet are created with it."""
    new = body.model_copy(update={"id": body.id or uuid7()})
    deed = Deed("item.created", subject_id=new.id, item_id=new.id)
    held = access.to_write(call.connection, call.viewer, "lists", list_id, deed=deed)
    made = service.create_item(call.connection, call.viewer, held, list_id, new)
    return _reply(made, 201)


@routes.get("/items/{item_id}", returns=Item)
def get_item(call: Call, item_id: UUID) -> Reply:
    """One item."""
    found = service.get_item(call.connection, call.viewer, item_id)
    return Reply(found, etag=call.not_modified(etag_of(found["revision"])))


@routes.patch("/items/{item_id}", returns=Item)
def change_item(call: Call, item_id: UUID, body: ItemPatch) -> Reply:
    """Change an item: only what is sent changes, null clears."""
    deed = Deed("item.changed", data={"fields": sorted(body.sent())})
    held = access.to_write(call.connection, call.viewer, "items", item_id, deed=deed)
    there = service.get_item(call.connection, call.viewer, item_id)
    call.require_match(etag_of(there["revision"]))
    return _reply(service.change_item(call.connection, call.viewer, held, there, body))


@routes.delete("/items/{item_id}", conditional=True)
def delete_item(call: Call, item_id: UUID) -> Reply:
    """Delete an item; it can be restored."""
    held = access.to_write(call.connection, call.viewer, "items", item_id, deed=Deed("item.deleted"))
    there = service.get_item(call.connection, call.viewer, item_id)
    call.require_match(etag_of(there["revision"]))
    service.delete_item(call.connection, held, item_id)
    return Reply(status=204)


@routes.post("/items/{item_id}/move", returns=Item)
def move_item(call: Call, item_id: UUID, body: Move) -> Reply:
    """Move an item within its list or to another list of the workspace; one row is written."""
    deed = Deed("item.moved", data={"fields": sorted(body.model_fields_set)})
    held = access.to_write(call.connection, call.viewer, "items", item_id, deed=deed)
    there = service.get_item(call.connection, call.viewer, item_id)
    return _reply(service.move_item(call.connection, held, there, body))


@routes.post("/items/{item_id}/complete", returns=Item)
def complete_item(call: Call, item_id: UUID) -> Reply:
    """Mark an item as done; one that is done keeps its moment."""
    held = access.to_write(call.connection, call.viewer, "items", item_id, deed=Deed("item.completed"))
    return _reply(service.complete_item(call.connection, held, item_id))


@routes.post("/items/{item_id}/reopen", returns=Item)
def reopen_item(call: Call, item_id: UUID) -> Reply:
    """Mark an item as not done."""
    held = access.to_write(call.connection, call.viewer, "items", item_id, deed=Deed("item.reopened"))
    return _reply(service.reopen_item(call.connection, held, item_id))


@routes.post("/items/{item_id}/restore", returns=Item)
def restore_item(call: Call, item_id: UUID) -> Reply:
    """Bring a deleted item back to where it was."""
    held = access.to_write(call.connection, call.viewer, "items", item_id, deleted=True, deed=Deed("item.restored"))
    return _reply(service.restore_item(call.connection, held, item_id))


def _reply(item: dict[str, object], status: int = 200) -> Reply:
    return Reply(item, status, access.etag_of(int(str(item["revision"]))))
