"""What goes in and out about comments."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from fastier.web.schemas import ClientId, Input, Output, Text, Time


def _not_blank(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "Text cannot be blank")
    return value


CommentText = Annotated[Text, Field(min_length=1, max_length=20_000), AfterValidator(_not_blank)]


class NewComment(Input):
    """A comment to write."""

    text: CommentText
    id: ClientId | None = None


class ChangedComment(Input):
    """A comment's new text."""

    text: CommentText


class Comment(Output):
    """What somebody said about an item."""

    id: UUID
    item_id: UUID
    author_id: Annotated[UUID | None, Field(description="Null once the author's account is gone.")]
    author_name: str | None
    text: str
    created_at: Time
    updated_at: Time
    revision: int
