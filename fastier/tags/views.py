"""The routes of tags."""

from uuid import UUID

from uuid_utils.compat import uuid7

from fastier.tags import queries, service
from fastier.tags.schemas import NewTag, Tag, TagPatch
from fastier.web.call import Call, Reply
from fastier.web.pages import TOTAL_CAP
from fastier.web.routing import Routes
from fastier.web.schemas import PageOf, PageQuery
from fastier.workspaces import access
from fastier.workspaces.access import etag_of
from fastier.workspaces.deeds import Deed

routes = Routes("tags")


@routes.get("/workspaces/{workspace_id}/tags", returns=PageOf[Tag])
def list_tags(call: Call, workspace_id: UUID, query: PageQuery) -> Reply:
    """The tags of a workspace, by name."""
    seen = access.to_read(call.connection, call.viewer, "workspaces", workspace_id)
    etag = call.not_modified(seen.etag)
    after = call.after_id(query, purpose="tags")
    rows = queries.page(call.connection, seen, after, query.limit + 1)
    total = queries.count(call.connection, seen, TOTAL_CAP + 1) if query.include else None
    return call.page_reply(
        rows, query, purpose="tags", key=lambda row: [queries.fold(row["name"])], etag=etag, total=total
    )


@routes.post("/workspaces/{workspace_id}/tags", returns=Tag, status=201, refusals=(409,))
def create_tag(call: Call, workspace_id: UUID, body: NewTag) -> Reply:
    """Create a tag; items create theirs by naming them."""
    new = body.model_copy(update={"id": body.id or uuid7()})
    deed = Deed("tag.created", subject_id=new.id)
    held = access.to_write(call.connection, call.viewer, "workspaces", workspace_id, deed=deed)
    made = service.create_tag(call.connection, call.viewer, held, new)
    return Reply(made, 201, etag_of(made["revision"]))


@routes.get("/tags/{tag_id}", returns=Tag)
def get_tag(call: Call, tag_id: UUID) -> Reply:
    """One tag."""
    found = service.get_tag(call.connection, call.viewer, tag_id)
    return Reply(found, etag=call.not_modified(etag_of(found["revision"])))


@routes.patch("/tags/{tag_id}", returns=Tag, refusals=(409,))
def change_tag(call: Call, tag_id: UUID, body: TagPatch) -> Reply:
    """Rename a tag on all items that carry it."""
    deed = Deed("tag.changed", data={"fields": sorted(body.sent())})
    held = access.to_write(call.connection, call.viewer, "tags", tag_id, deed=deed)
    there = service.get_tag(call.connection, call.viewer, tag_id)
    call.require_match(etag_of(there["revision"]))
    changed = service.change_tag(call.connection, held, there, body)
    return Reply(changed, etag=etag_of(changed["revision"]))


@routes.delete("/tags/{tag_id}", conditional=True)
def delete_tag(call: Call, tag_id: UUID) -> Reply:
    """Take a tag off all items; it can be restored."""
    held = access.to_write(call.connection, call.viewer, "tags", tag_id, deed=Deed("tag.deleted"))
    there = service.get_tag(call.connection, call.viewer, tag_id)
    call.require_match(etag_of(there["revision"]))
    queries.delete(call.connection, held, tag_id)
    return Reply(status=204)


@routes.post("/tags/{tag_id}/restore", returns=Tag, refusals=(409,))
def restore_tag(call: Call, tag_id: UUID) -> Reply:
    """Bring a deleted tag back to the items that carried it."""
    held = access.to_write(call.connection, call.viewer, "tags", tag_id, deleted=True, deed=Deed("tag.restored"))
    restored = service.restore_tag(call.connection, held, tag_id)
    return Reply(restored, etag=etag_of(restored["revision"]))
