"""The route of the trash."""

from typing import Any
from uuid import UUID

from fastier.trash import queries
from fastier.trash.schemas import Deleted
from fastier.web.call import Call, Reply
from fastier.web.pages import TOTAL_CAP
from fastier.web.routing import Routes
from fastier.web.schemas import PageOf, PageQuery
from fastier.workspaces import access

routes = Routes("trash")


@routes.get("/workspaces/{workspace_id}/trash", returns=PageOf[Deleted])
def list_trash(call: Call, workspace_id: UUID, query: PageQuery) -> Reply:
    """What was deleted in a workspace in the last 30 days, latest first; what went with a list comes back with it."""
    seen = access.to_read(call.connection, call.viewer, "workspaces", workspace_id)
    etag = call.not_modified(seen.etag)
    rows = queries.deleted(call.connection, seen, call.after(query, purpose="trash"), query.limit + 1)
    total = queries.count(call.connection, seen, TOTAL_CAP + 1) if query.include else None
    return call.page_reply(rows, query, purpose="trash", key=_place, etag=etag, total=total)


def _place(row: dict[str, Any]) -> list[Any]:
    return [row["deleted_at"].isoformat(), row["id"]]
