"""What a write does, told in the workspace's activity by the statement that takes the write's revision."""

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

Kind = Literal[
    "workspace.created", "workspace.changed", "workspace.deleted",
    "member.joined", "member.changed", "member.removed", "member.left",
    "invitation.created", "invitation.deleted",
    "list.created", "list.changed", "list.moved", "list.deleted", "list.restored",
    "section.created", "section.changed", "section.moved", "section.deleted", "section.restored",
    "tag.created", "tag.changed", "tag.deleted", "tag.restored",
    "item.created", "item.changed", "item.moved", "item.completed", "item.reopened", "item.deleted", "item.restored",
    "comment.created", "comment.changed", "comment.deleted", "comment.restored",
    "attachment.announced", "attachment.added", "attachment.deleted",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Deed:
    """One line of activity; nothing in `data` may be private, every member reads it.

    subject_id: what it was done to, where that is not the row that the write was given to lock (something new, or
    something that belongs to it). item_id: the item it concerns, where that is not the locked row or its item.
    data: a few small values, such as the names of the fields that changed.
    """

    kind: Kind
    subject_id: UUID | None = None
    item_id: UUID | None = None
    data: dict[str, Any] | None = None
