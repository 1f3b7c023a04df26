"""The routes of workspaces."""

from uuid import UUID

from fastier.web.call import Call, Reply
from fastier.web.pages import TOTAL_CAP
from fastier.web.routing import Routes
from fastier.web.schemas import PageOf, PageQuery
from fastier.workspaces import queries, service
from fastier.workspaces.deeds import Deed
from fastier.workspaces.schemas import NewWorkspace, Workspace, WorkspacePatch

routes = Routes("workspaces")


@routes.get("/workspaces", returns=PageOf[Workspace], conditional=False)
def list_workspaces(call: Call, query: PageQuery) -> Reply:
    """The workspaces that you belong to, oldest first."""
    after = call.after_id(query, purpose="workspaces")
    rows = queries.page(call.connection, call.viewer, after, query.limit + 1)
    total = queries.count(call.connection, call.viewer, TOTAL_CAP + 1) if query.include else None
    return call.page_reply(rows, query, purpose="workspaces", key=lambda row: [row["id"]], total=total)


@routes.post("/workspaces", returns=Workspace, status=201, refusals=(409,))
def create_workspace(call: Call, body: NewWorkspace) -> Reply:
    """Create a workspace; you are its owner."""
    made = service.create_workspace(call.connection, call.viewer, body)
    return Reply(made, 201, service.etag(made))


@routes.get("/workspaces/{workspace_id}", returns=Workspace)
def get_workspace(call: Call, workspace_id: UUID) -> Reply:
    """One workspace."""
    workspace = service.get_workspace(call.connection, call.viewer, workspace_id)
    return Reply(workspace, etag=call.not_modified(service.etag(workspace)))


@routes.patch("/workspaces/{workspace_id}", returns=Workspace)
def change_workspace(call: Call, workspace_id: UUID, body: WorkspacePatch) -> Reply:
    """Rename a workspace; owners and admins may."""
    deed = Deed("workspace.changed", data={"fields": sorted(body.sent())})
    service.lock_for_admins(call.connection, call.viewer, workspace_id, deed)
    _require_match(call, workspace_id)
    changed = service.rename_workspace(call.connection, call.viewer, workspace_id, body)
    return Reply(changed, etag=service.etag(changed))


@routes.delete("/workspaces/{workspace_id}", conditional=True, refusals=(409,))
def delete_workspace(call: Call, workspace_id: UUID) -> Reply:
    """Delete a workspace with all that is in it; only its owner may."""
    service.lock_for_owners(call.connection, call.viewer, workspace_id, Deed("workspace.deleted"))
    _require_match(call, workspace_id)
    service.delete_workspace(call.connection, call.viewer, workspace_id)
    return Reply(status=204)


def _require_match(call: Call, workspace_id: UUID) -> None:
    call.require_match(service.etag(service.get_workspace(call.connection, call.viewer, workspace_id)))
