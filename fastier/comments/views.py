"""The routes of comments."""

from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from fastier.comments import queries, service
from fastier.comments.schemas import ChangedComment, Comment, NewComment
from fastier.web.call import Call, Reply
from fastier.web.pages import TOTAL_CAP
from fastier.web.routing import Routes
from fastier.web.schemas import PageOf, PageQuery
from fastier.workspaces import access
from fastier.workspaces.access import etag_of
from fastier.workspaces.deeds import Deed

routes = Routes("comments")


@routes.get("/items/{item_id}/comments", returns=PageOf[Comment])
def list_comments(call: Call, item_id: UUID, query: PageQuery) -> Reply:
    """What was said about an item, oldest first."""
    seen = access.to_read(call.connection, call.viewer, "items", item_id)
    etag = call.not_modified(seen.etag)
    after = call.after_id(query, purpose="comments")
    rows = queries.page(call.connection, item_id, after, query.limit + 1)
    total = queries.count(call.connection, item_id, TOTAL_CAP + 1) if query.include else None
    return call.page_reply(rows, query, purpose="comments", key=lambda row: [row["id"]], etag=etag, total=total)


@routes.post("/items/{item_id}/comments", returns=Comment, status=201, refusals=(409,))
def create_comment(call: Call, item_id: UUID, body: NewComment) -> Reply:
    """Say something about an item."""
    id = body.id or uuid7()
    deed = Deed("comment.created", subject_id=id)
    held = access.to_write(call.connection, call.viewer, "items", item_id, deed=deed)
    return _reply(service.create_comment(call.connection, call.viewer, held, item_id, id, body), 201)


@routes.patch("/comments/{comment_id}", returns=Comment)
def change_comment(call: Call, comment_id: UUID, body: ChangedComment) -> Reply:
    """Change what you have said."""
    held = access.to_write(call.connection, call.viewer, "comments", comment_id, deed=Deed("comment.changed"))
    there = service.own_comment(call.connection, call.viewer, comment_id)
    call.require_match(etag_of(there["revision"]))
    return _reply(service.found(queries.change(call.connection, held, comment_id, body.text)))


@routes.delete("/comments/{comment_id}", conditional=True)
def delete_comment(call: Call, comment_id: UUID) -> Reply:
    """Delete a comment: its author, an admin or an owner may; it can be restored."""
    held = access.to_write(call.connection, call.viewer, "comments", comment_id, deed=Deed("comment.deleted"))
    there = service.removable_comment(call.connection, call.viewer, held, comment_id)
    call.require_match(etag_of(there["revision"]))
    service.found(queries.delete(call.connection, held, comment_id))
    return Reply(status=204)


@routes.post("/comments/{comment_id}/restore", returns=Comment)
def restore_comment(call: Call, comment_id: UUID) -> Reply:
    """Bring a deleted comment back: who may delete it may do this."""
    deed = Deed("comment.restored")
    held = access.to_write(call.connection, call.viewer, "comments", comment_id, deleted=True, deed=deed)
    service.removable_comment(call.connection, call.viewer, held, comment_id, deleted=True)
    return _reply(service.found(queries.restore(call.connection, held, comment_id)))


def _reply(comment: dict[str, Any], status: int = 200) -> Reply:
    return Reply(comment, status, etag_of(comment["revision"]))
