"""The routes of activity."""

from uuid import UUID

from fastier.activity import queries
from fastier.activity.schemas import Activity
from fastier.web.call import Call, Reply
from fastier.web.pages import TOTAL_CAP
from fastier.web.routing import Routes
from fastier.web.schemas import PageOf, PageQuery
from fastier.workspaces import access

routes = Routes("activity")


@routes.get("/workspaces/{workspace_id}/activity", returns=PageOf[Activity])
def list_activity(call: Call, workspace_id: UUID, query: PageQuery) -> Reply:
    """What was done in a workspace, latest first, for a year."""
    seen = access.to_read(call.connection, call.viewer, "workspaces", workspace_id)
    etag = call.not_modified(seen.etag)
    rows = queries.of_workspace(call.connection, seen, _after(call, query, "activity"), query.limit + 1)
    total = queries.count_of_workspace(call.connection, seen, TOTAL_CAP + 1) if query.include else None
    return call.page_reply(rows, query, purpose="activity", key=lambda row: [row["id"]], etag=etag, total=total)


@routes.get("/items/{item_id}/activity", returns=PageOf[Activity])
def list_item_activity(call: Call, item_id: UUID, query: PageQuery) -> Reply:
    """What was done to an item, its comments and its files, latest first, for a year."""
    seen = access.to_read(call.connection, call.viewer, "items", item_id)
    etag = call.not_modified(seen.etag)
    after = _after(call, query, "item-activity")
    rows = queries.of_item(call.connection, seen, item_id, after, query.limit + 1)
    total = queries.count_of_item(call.connection, seen, item_id, TOTAL_CAP + 1) if query.include else None
    return call.page_reply(rows, query, purpose="item-activity", key=lambda row: [row["id"]], etag=etag, total=total)


def _after(call: Call, query: PageQuery, purpose: str) -> int | None:
    key = call.after(query, purpose=purpose)
    return int(key[0]) if key else None
