"""The routes of sections."""

from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from fastier.sections import queries, service
from fastier.sections.schemas import NewSection, Section, SectionMove, SectionPatch
from fastier.web.call import Call, Reply
from fastier.web.pages import TOTAL_CAP
from fastier.web.routing import Routes
from fastier.web.schemas import PageOf, PageQuery
from fastier.workspaces import access
from fastier.workspaces.access import etag_of
from fastier.workspaces.deeds import Deed

routes = Routes("sections")


@routes.get("/lists/{list_id}/sections", returns=PageOf[Section])
def list_sections(call: Call, list_id: UUID, query: PageQuery) -> Reply:
    """The sections of a list, in their order."""
    seen = access.to_read(call.connection, call.viewer, "lists", list_id)
    etag = call.not_modified(seen.etag)
    rows = queries.page(call.connection, list_id, call.after(query, purpose="sections"), query.limit + 1)
    total = queries.count(call.connection, list_id, TOTAL_CAP + 1) if query.include else None
    return call.page_reply(
        rows, query, purpose="sections", key=lambda row: [row["position"], row["id"]], etag=etag, total=total
    )


@routes.post("/lists/{list_id}/sections", returns=Section, status=201, refusals=(409,))
def create_section(call: Call, list_id: UUID, body: NewSection) -> Reply:
    """Create a section at the end of a list."""
    id = body.id or uuid7()
    held = access.to_write(call.connection, call.viewer, "lists", list_id, deed=Deed("section.created", subject_id=id))
    return _reply(service.create_section(call.connection, call.viewer, held, list_id, id, body), 201)


@routes.patch("/sections/{section_id}", returns=Section)
def change_section(call: Call, section_id: UUID, body: SectionPatch) -> Reply:
    """Rename a section."""
    deed = Deed("section.changed", data={"fields": sorted(body.sent())})
    held = access.to_write(call.connection, call.viewer, "sections", section_id, deed=deed)
    there = service.get_section(call.connection, call.viewer, section_id)
    call.require_match(etag_of(there["revision"]))
    return _reply(service.change_section(call.connection, held, there, body))


@routes.post("/sections/{section_id}/move", returns=Section)
def move_section(call: Call, section_id: UUID, body: SectionMove) -> Reply:
    """Move a section within its list; its items keep their order."""
    deed = Deed("section.moved", data={"fields": sorted(body.model_fields_set)})
    held = access.to_write(call.connection, call.viewer, "sections", section_id, deed=deed)
    return _reply(service.move_section(call.connection, held, section_id, body))


@routes.delete("/sections/{section_id}", conditional=True, refusals=(409,))
def delete_section(call: Call, section_id: UUID) -> Reply:
    """Delete a section with its items; it can be restored with them."""
    held = access.to_write(call.connection, call.viewer, "sections", section_id, deed=Deed("section.deleted"))
    there = service.get_section(call.connection, call.viewer, section_id)
    call.require_match(etag_of(there["revision"]))
    service.delete_section(call.connection, held, section_id)
    return Reply(status=204)


@routes.post("/sections/{section_id}/restore", returns=Section)
def restore_section(call: Call, section_id: UUID) -> Reply:
    """Bring a deleted section back, with the items that were deleted with it."""
    deed = Deed("section.restored")
    held = access.to_write(call.connection, call.viewer, "sections", section_id, deleted=True, deed=deed)
    return _reply(service.found(queries.restore(call.connection, held, section_id)))


def _reply(section: dict[str, Any], status: int = 200) -> Reply:
    return Reply(section, status, etag_of(section["revision"]))
