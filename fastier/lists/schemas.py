"""What goes in and out about lists."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from fastier.web.schemas import ClientId, Input, Line, Output, Patch, Time

Name = Annotated[Line, Field(min_length=1, max_length=200)]


class NewList(Input):
    """A list to create, at the end of its workspace's lists."""

    name: Name
    id: ClientId | None = None


class ListPatch(Patch):
    """What of a list changes."""

    name: Name = ""


class List(Output):
    """A list of items."""

    id: UUID
    workspace_id: UUID
    name: str
    is_inbox: Annotated[bool, Field(description="Where items go that were given no list; it cannot be deleted.")]
    position: Annotated[str, Field(description="Lists are in the bytewise order of this key.")]
    created_at: Time
    updated_at: Time
    revision: int
