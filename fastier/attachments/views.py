"""The routes of attachments."""

from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from fastier.attachments import queries, service
from fastier.attachments.schemas import Attachment, AttachmentWithUpload, NewAttachment
from fastier.errors import NotFound
from fastier.web.call import Call, Reply
from fastier.web.pages import TOTAL_CAP
from fastier.web.routing import Routes
from fastier.web.schemas import PageOf, PageQuery
from fastier.workspaces import access
from fastier.workspaces.access import etag_of
from fastier.workspaces.deeds import Deed

routes = Routes("attachments")


def _with_upload(call: Call, body: Any) -> Any:
    """Sign the upload now: an answer that is kept, or sent again, holds no signed address."""
    with call.services.database.reading() as connection:
        there = service.get_attachment(connection, call.viewer, UUID(str(body["attachment"]["id"])))
    upload = service.upload_of(call.services, call.viewer, there)
    return {"attachment": body["attachment"], "upload": upload}


@routes.get("/items/{item_id}/attachments", returns=PageOf[Attachment])
def list_attachments(call: Call, item_id: UUID, query: PageQuery) -> Reply:
    """The files of an item, oldest first."""
    seen = access.to_read(call.connection, call.viewer, "items", item_id)
    etag = call.not_modified(seen.etag)
    after = call.after_id(query, purpose="attachments")
    rows = queries.page(call.connection, item_id, after, query.limit + 1)
    total = queries.count(call.connection, item_id, TOTAL_CAP + 1) if query.include else None
    return call.page_reply(rows, query, purpose="attachments", key=lambda row: [row["id"]], etag=etag, total=total)


@routes.post(
    "/items/{item_id}/attachments", returns=AttachmentWithUpload, status=201, refusals=(409,), present=_with_upload
)
def announce_attachment(call: Call, item_id: UUID, body: NewAttachment) -> Reply:
    """Announce a file; then send it to the addresses in `upload`, and complete it."""
    new = body.model_copy(update={"id": body.id or uuid7()})
    deed = Deed("attachment.announced", subject_id=new.id)
    held = access.to_write(call.connection, call.viewer, "items", item_id, deed=deed)
    made = service.announce(call.connection, call.viewer, held, item_id, new)
    return Reply({"attachment": made, "upload": None}, 201)


@routes.get("/attachments/{attachment_id}", returns=AttachmentWithUpload, present=_with_upload, refusals=(409,))
def get_attachment(call: Call, attachment_id: UUID) -> Reply:
    """One file; while it is being uploaded, with addresses for what is missing, signed anew."""
    found = service.get_attachment(call.connection, call.viewer, attachment_id)
    ready = found["status"] == "ready"
    etag = call.not_modified(etag_of(found["revision"])) if ready else None
    return Reply({"attachment": queries.shown(found), "upload": None}, etag=etag)


@routes.post("/attachments/{attachment_id}/complete", returns=Attachment, mode="own", keyed=True, refusals=(409,))
def complete_attachment(call: Call, attachment_id: UUID) -> Reply:
    """Make an uploaded file part of its item; safe to repeat, with or without an Idempotency-Key."""
    made = service.complete(call.services, call.viewer, attachment_id)
    return Reply(made, etag=etag_of(made["revision"]))


@routes.get("/attachments/{attachment_id}/content", returns=None, status=302, conditional=False, refusals=(409,))
def get_content(call: Call, attachment_id: UUID) -> Reply:
    """Where the file's content is, for five minutes."""
    found = service.get_attachment(call.connection, call.viewer, attachment_id)
    return Reply(None, 302, headers={"Location": service.content_address(call.services.storage, found)})


@routes.delete("/attachments/{attachment_id}", conditional=True)
def delete_attachment(call: Call, attachment_id: UUID) -> Reply:
    """Take a file off its item."""
    there = service.get_attachment(call.connection, call.viewer, attachment_id)
    deed = Deed("attachment.deleted", subject_id=attachment_id)
    held = access.to_write(call.connection, call.viewer, "items", there["item_id"], deed=deed)
    there = service.get_attachment(call.connection, call.viewer, attachment_id)
    call.require_match(etag_of(there["revision"]))
    if not queries.delete(call.connection, held, attachment_id):
        raise NotFound
    return Reply(status=204)
