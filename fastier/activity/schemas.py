"""What goes out about activity."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from fastier.web.schemas import Output, Time
from fastier.workspaces.deeds import Kind


class Activity(Output):
    """One thing that somebody did; it is told for a year."""

    id: Annotated[int, Field(description="Ever higher within the workspace.")]
    kind: Kind
    actor_id: Annotated[UUID | None, Field(description="Who did it; null once the account is gone.")]
    actor_name: str | None
    subject_id: Annotated[UUID, Field(description="What it was done to; the kind says what that is.")]
    item_id: Annotated[UUID | None, Field(description="The item it concerns.")]
    item_title: Annotated[str | None, Field(description="The item's title now; null once the item is purged.")]
    data: Annotated[
        dict[str, Any] | None, Field(description="More about it, such as the `fields` that changed, or the new `role`.")
    ]
    revision: Annotated[int, Field(description="The workspace's revision that this write took.")]
    at: Time
