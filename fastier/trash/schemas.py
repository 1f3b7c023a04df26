"""What goes out about the trash."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from fastier.web.schemas import Output, Time


class Deleted(Output):
    """Something that was deleted; `POST /{type}s/{id}/restore` brings it back until it is purged after 30 days."""

    type: Literal["list", "section", "tag", "item", "comment"]
    id: UUID
    name: Annotated[str, Field(description="Its name or title, or the beginning of a comment.")]
    list_id: Annotated[UUID | None, Field(description="The list in which a section or an item was.")]
    item_id: Annotated[UUID | None, Field(description="The item on which a comment was.")]
    deleted_at: Time
