"""The routes of members and invitations."""

from uuid import UUID

from fastier.errors import NotFound
from fastier.members import queries, service
from fastier.members.schemas import Acceptance, Invitation, Member, MemberPatch, NewInvitation
from fastier.web.call import Call, Reply
from fastier.web.pages import TOTAL_CAP
from fastier.web.routing import Routes
from fastier.web.schemas import PageOf, PageQuery
from fastier.workspaces import access
from fastier.workspaces import service as workspaces
from fastier.workspaces.access import ADMINS, MEMBERS
from fastier.workspaces.deeds import Deed
from fastier.workspaces.schemas import Workspace

routes = Routes("members")


@routes.get("/workspaces/{workspace_id}/members", returns=PageOf[Member])
def list_members(call: Call, workspace_id: UUID, query: PageQuery) -> Reply:
    """Who belongs to a workspace."""
    seen = access.to_read(call.connection, call.viewer, "workspaces", workspace_id)
    etag = call.not_modified(seen.etag)
    rows = queries.page(call.connection, seen, call.after_id(query, purpose="members"), query.limit + 1)
    total = queries.count(call.connection, seen, TOTAL_CAP + 1) if query.include else None
    return call.page_reply(rows, query, purpose="members", key=lambda row: [row["user_id"]], etag=etag, total=total)


@routes.patch("/workspaces/{workspace_id}/members/{user_id}", returns=Member, conditional=False, refusals=(409,))
def change_member(call: Call, workspace_id: UUID, user_id: UUID, body: MemberPatch) -> Reply:
    """Change a member's role: owners and admins may, and only an owner makes or changes owners."""
    deed = Deed("member.changed", subject_id=user_id, data={"role": body.role})
    held = access.to_write(call.connection, call.viewer, "workspaces", workspace_id, roles=ADMINS, deed=deed)
    return Reply(service.change_role(call.connection, call.viewer, held, user_id, body.role))


@routes.delete("/workspaces/{workspace_id}/members/{user_id}", refusals=(409,))
def remove_member(call: Call, workspace_id: UUID, user_id: UUID) -> Reply:
    """Remove a member, or leave; their items stay, assigned to nobody."""
    is_self = user_id == call.viewer.user_id
    deed = Deed("member.left" if is_self else "member.removed", subject_id=user_id)
    roles = MEMBERS if is_self else ADMINS
    held = access.to_write(call.connection, call.viewer, "workspaces", workspace_id, roles=roles, deed=deed)
    service.remove_member(call.connection, call.viewer, held, user_id)
    return Reply(status=204)


@routes.get("/workspaces/{workspace_id}/invitations", returns=PageOf[Invitation], conditional=False)
def list_invitations(call: Call, workspace_id: UUID, query: PageQuery) -> Reply:
    """The open invitations of a workspace; owners and admins may see them."""
    seen = access.to_read(call.connection, call.viewer, "workspaces", workspace_id)
    seen.require(ADMINS)
    after = call.after_id(query, purpose="invitations")
    rows = queries.invitations(call.connection, seen, after, query.limit + 1)
    total = queries.count_invitations(call.connection, seen, TOTAL_CAP + 1) if query.include else None
    return call.page_reply(rows, query, purpose="invitations", key=lambda row: [row["id"]], total=total)


@routes.post("/workspaces/{workspace_id}/invitations", returns=Invitation, status=201, refusals=(409,))
def invite(call: Call, workspace_id: UUID, body: NewInvitation) -> Reply:
    """Mail an invitation that is good for a week; for an address that has an open one, a new one replaces it."""
    deed = Deed("invitation.created", data={"role": body.role})
    held = access.to_write(call.connection, call.viewer, "workspaces", workspace_id, roles=ADMINS, deed=deed)
    return Reply(service.invite(call.connection, call.viewer, held, body), 201)


@routes.delete("/invitations/{invitation_id}")
def withdraw_invitation(call: Call, invitation_id: UUID) -> Reply:
    """Withdraw an invitation; its link no longer works."""
    deed = Deed("invitation.deleted")
    access.to_write(call.connection, call.viewer, "invitations", invitation_id, roles=ADMINS, deed=deed)
    if not queries.withdraw(call.connection, invitation_id):
        raise NotFound
    return Reply(status=204)


@routes.post("/invitations/accept", returns=Workspace, refusals=(404, 410))
def accept_invitation(call: Call, body: Acceptance) -> Reply:
    """Become a member; your address must be verified and be the one that was invited."""
    workspace = service.accept(call.connection, call.viewer, body.token)
    return Reply(workspace, etag=workspaces.etag(workspace))
