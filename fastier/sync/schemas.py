"""What goes in and out about changes: bodies as their own features show them, each with its type."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from fastier.attachments.schemas import Attachment
from fastier.comments.schemas import Comment
from fastier.items.schemas import Item
from fastier.lists.schemas import List
from fastier.members.schemas import Member
from fastier.sections.schemas import Section
from fastier.tags.schemas import Tag
from fastier.web.schemas import Output, Query
from fastier.workspaces.schemas import Workspace


class SyncQuery(Query):
    """From where on changes are wanted."""

    cursor: Annotated[
        str | None,
        Field(max_length=1000, description="`next_cursor` of the answer before; nothing to get everything."),
    ] = None
    limit: Annotated[int, Field(ge=1, le=200, description="How many changes at most.")] = 100


class ChangedWorkspace(Workspace):
    """The workspace itself."""

    type: Literal["workspace"]


class ChangedMember(Member):
    """Somebody who joined, or whose role changed."""

    type: Literal["member"]


class ChangedList(List):
    """A list."""

    type: Literal["list"]


class ChangedSection(Section):
    """A section."""

    type: Literal["section"]


class ChangedTag(Tag):
    """A tag; the items that carry it follow when its name changed."""

    type: Literal["tag"]


class ChangedItem(Item):
    """An item."""

    type: Literal["item"]


class ChangedComment(Comment):
    """A comment; it is there whenever its item is."""

    type: Literal["comment"]


class ChangedAttachment(Attachment):
    """A file that is ready; it is there whenever its item is."""

    type: Literal["attachment"]


Change = (
    ChangedWorkspace
    | ChangedMember
    | ChangedList
    | ChangedSection
    | ChangedTag
    | ChangedItem
    | ChangedComment
    | ChangedAttachment
)


class Removed(Output):
    """Something that is no longer there, or no longer to be seen; of a member it is the user's id."""

    type: Literal["member", "list", "section", "tag", "item", "comment", "attachment"]
    id: UUID


class Changes(Output):
    """What has changed, the oldest first; each id at most once."""

    changes: list[Change]
    deleted: list[Removed]
    next_cursor: Annotated[str, Field(description="Send it as `cursor` the next time; good for 30 days.")]
    has_more: Annotated[bool, Field(description="Whether to ask again at once.")]
