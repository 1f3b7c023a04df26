"""The routes of lists."""

from uuid import UUID

from uuid_utils.compat import uuid7

from fastier.lists import queries, service
from fastier.lists.schemas import List, ListPatch, NewList
from fastier.web.call import Call, Reply
from fastier.web.pages import TOTAL_CAP
from fastier.web.routing import Routes
from fastier.web.schemas import PageOf, PageQuery
from fastier.workspaces import access
from fastier.workspaces.access import etag_of
from fastier.workspaces.deeds import Deed

routes = Routes("lists")


@routes.get("/workspaces/{workspace_id}/lists", returns=PageOf[List])
def list_lists(call: Call, workspace_id: UUID, query: PageQuery) -> Reply:
    """The lists of a workspace, in their order."""
    seen = access.to_read(call.connection, call.viewer, "workspaces", workspace_id)
    etag = call.not_modified(seen.etag)
    rows = queries.page(call.connection, seen, call.after(query, purpose="lists"), query.limit + 1)
    total = queries.count(call.connection, seen, TOTAL_CAP + 1) if query.include else None
    return call.page_reply(
        rows, query, purpose="lists", key=lambda row: [row["position"], row["id"]], etag=etag, total=total
    )


@routes.post("/workspaces/{workspace_id}/lists", returns=List, status=201, refusals=(409,))
def create_list(call: Call, workspace_id: UUID, body: NewList) -> Reply:
    """Create a list at the end of the workspace's lists."""
    new = body.model_copy(update={"id": body.id or uuid7()})
    deed = Deed("list.created", subject_id=new.id)
    held = access.to_write(call.connection, call.viewer, "workspaces", workspace_id, deed=deed)
    made = service.create_list(call.connection, call.viewer, held, new)
    return Reply(made, 201, etag_of(made["revision"]))


@routes.get("/lists/{list_id}", returns=List)
def get_list(call: Call, list_id: UUID) -> Reply:
    """One list."""
    found = service.get_list(call.connection, call.viewer, list_id)
    return Reply(found, etag=call.not_modified(etag_of(found["revision"])))


@routes.patch("/lists/{list_id}", returns=List)
def change_list(call: Call, list_id: UUID, body: ListPatch) -> Reply:
    """Rename a list."""
    deed = Deed("list.changed", data={"fields": sorted(body.sent())})
    held = access.to_write(call.connection, call.viewer, "lists", list_id, deed=deed)
    there = service.get_list(call.connection, call.viewer, list_id)
    call.require_match(etag_of(there["revision"]))
    changed = service.change_list(call.connection, held, there, body)
    return Reply(changed, etag=etag_of(changed["revision"]))


@routes.delete("/lists/{list_id}", conditional=True, refusals=(409,))
def delete_list(call: Call, list_id: UUID) -> Reply:
    """Delete a list with its items; it can be restored."""
    held = access.to_write(call.connection, call.viewer, "lists", list_id, deed=Deed("list.deleted"))
    there = service.get_list(call.connection, call.viewer, list_id)
    call.require_match(etag_of(there["revision"]))
    service.delete_list(call.connection, held, there)
    return Reply(status=204)


@routes.post("/lists/{list_id}/restore", returns=List)
def restore_list(call: Call, list_id: UUID) -> Reply:
    """Bring a deleted list back, with the items that it had."""
    held = access.to_write(call.connection, call.viewer, "lists", list_id, deleted=True, deed=Deed("list.restored"))
    restored = queries.restore(call.connection, held, list_id)
    return Reply(restored, etag=etag_of(restored["revision"]))
