"""What goes in and out about workspaces."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from fastier.web.schemas import ClientId, Input, Line, Output, Patch, Time

Name = Annotated[Line, Field(min_length=1, max_length=200)]
Role = Literal["owner", "admin", "editor", "viewer"]


class NewWorkspace(Input):
    """A workspace to create."""

    name: Name
    id: ClientId | None = None


class WorkspacePatch(Patch):
    """What of a workspace changes."""

    name: Name = ""


class Workspace(Output):
    """A workspace as its viewer sees it."""

    id: UUID
    name: str
    is_personal: Annotated[bool, Field(description="Made with the account; it cannot be deleted.")]
    role: Annotated[Role, Field(description="The viewer's role.")]
    storage_used: Annotated[int, Field(description="Bytes of attachments.")]
    storage_quota: Annotated[int, Field(description="Bytes of attachments at most.")]
    created_at: Time
    updated_at: Time
    revision: int
