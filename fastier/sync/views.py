"""The route of sync."""

from uuid import UUID

from fastier.sync import service
from fastier.sync.schemas import Changes, SyncQuery
from fastier.web.call import Call, Reply
from fastier.web.routing import Routes
from fastier.workspaces import access

routes = Routes("sync")


@routes.get("/workspaces/{workspace_id}/sync", returns=Changes, conditional=False, refusals=(410,))
def sync(call: Call, workspace_id: UUID, query: SyncQuery) -> Reply:
    """What has changed since the cursor, or everything; with `has_more`, ask again at once."""
    seen = access.to_read(call.connection, call.viewer, "workspaces", workspace_id)
    purpose = f"sync:{workspace_id}"
    written = call.cursors.read(purpose, query.cursor) if query.cursor else None
    cursor = service.read_cursor(written, seen)
    answer = service.changes_since(call.connection, call.viewer, seen, cursor, query.limit)
    body = {
        "changes": answer.changes,
        "deleted": answer.deleted,
        "next_cursor": call.cursors.write(purpose, answer.cursor.written()),
        "has_more": answer.has_more,
    }
    return Reply(body)
