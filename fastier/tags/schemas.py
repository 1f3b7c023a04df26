"""What goes in and out about tags."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from fastier.web.schemas import ClientId, Input, Line, Output, Patch, Time

TagName = Annotated[Line, Field(min_length=1, max_length=100)]


class NewTag(Input):
    """A tag to create; names that differ only in case are one tag."""

    name: TagName
    id: ClientId | None = None


class TagPatch(Patch):
    """What of a tag changes."""

    name: TagName = ""


class Tag(Output):
    """A tag of a workspace."""

    id: UUID
    workspace_id: UUID
    name: str
    created_at: Time
    updated_at: Time
    revision: int
