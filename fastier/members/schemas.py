"""What goes in and out about members and invitations."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from fastier.web.schemas import Email, Input, Output, Patch, Time
from fastier.workspaces.schemas import Role

InvitedRole = Literal["admin", "editor", "viewer"]


class Member(Output):
    """Somebody who belongs to a workspace."""

    user_id: UUID
    name: str
    email: str
    role: Role
    joined_at: Time


class MemberPatch(Patch):
    """A member's new role."""

    role: Annotated[Role, Field(description="Only an owner makes owners, and changes them.")]


class NewInvitation(Input):
    """Whom to invite; an address that has an open invitation gets a new one."""

    email: Email
    role: Annotated[InvitedRole, Field(description="An owner is made of a member.")]


class Invitation(Output):
    """An open invitation; its token is only in the mail."""

    id: UUID
    workspace_id: UUID
    email: str
    role: InvitedRole
    invited_by: Annotated[UUID | None, Field(description="Null once the account is gone.")]
    created_at: Time
    expires_at: Time


class Acceptance(Input):
    """The token that was mailed."""

    token: Annotated[str, Field(min_length=1, max_length=100)]
