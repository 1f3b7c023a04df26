"""The tables of items, of the tags that they carry and of the reminders that people set."""

from datetime import date, time
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from fastier.database import Base, Bytewise, Created, Id, Moment

_OPEN = text("deleted_at IS NULL AND completed_at IS NULL")
_LIVE = text("deleted_at IS NULL")
_IS_DONE = text("(completed_at IS NOT NULL)")
_ORDERS = {
    "due": text("coalesce(due_date, 'infinity'::date)"),
    "priority": text("priority"),
    "created": text("created_at"),
    "title": text("search_title_key(title)"),
}


class Item(Base):
    """One thing to organise; a due date is a date, or a date and a time in a zone."""

    __tablename__ = "items"
    __table_args__ = (
        UniqueConstraint("id", "workspace_id"),
        ForeignKeyConstraint(["list_id", "workspace_id"], ["lists.id", "lists.workspace_id"], ondelete="CASCADE"),
        # Items go before their section does, so nothing cascades.
        ForeignKeyConstraint(["section_id", "list_id"], ["sections.id", "sections.list_id"]),
        ForeignKeyConstraint(["parent_id", "workspace_id"], ["items.id", "items.workspace_id"], ondelete="CASCADE"),
        # Whoever leaves the workspace leaves their items to nobody.
        ForeignKeyConstraint(
            ["workspace_id", "assignee_id"],
            ["members.workspace_id", "members.user_id"],
            ondelete="SET NULL (assignee_id)",
        ),
        CheckConstraint("priority BETWEEN 1 AND 4", name="priority"),
        CheckConstraint(
            "(rrule IS NULL) = (recurrence_mode IS NULL) AND (rrule IS NOT NULL OR recurrence_text IS NULL)"
            " AND (recurrence_mode IS NULL OR recurrence_mode IN ('schedule', 'completion'))",
            name="recurrence",
        ),
        CheckConstraint("due_date IS NOT NULL OR (due_time IS NULL AND due_timezone IS NULL)", name="due"),
        # One index for each way a list is read, so that open items never pay for completed ones.
        Index(
            "ix_items_open",
            "list_id",
            "position",
            "id",
            postgresql_where=text("deleted_at IS NULL AND completed_at IS NULL"),
        ),
        Index(
            "ix_items_done",
            "list_id",
            "completed_at",
            "id",
            postgresql_where=text("deleted_at IS NULL AND completed_at IS NOT NULL"),
        ),
        # Deleted items too: a new key must not be one that a restored item brings back.
        Index("ix_items_all", "list_id", "position", "id"),
        Index("ix_items_trash", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
        Index("ix_items_deleted", "workspace_id", "deleted_at", "id", postgresql_where=text("deleted_at IS NOT NULL")),
        # The board: a column's open or completed items, and those of no section.
        Index("ix_items_board", "list_id", "section_id", "position", "id", postgresql_where=_OPEN),
        Index(
            "ix_items_board_done",
            "list_id",
            "section_id",
            "completed_at",
            "id",
            postgresql_where=text("deleted_at IS NULL AND completed_at IS NOT NULL"),
        ),
        Index("ix_items_section", "section_id", postgresql_where=text("section_id IS NOT NULL")),
        Index("ix_items_parent", "parent_id", "position", "id", postgresql_where=text("parent_id IS NOT NULL")),
        Index("ix_items_assignee", "workspace_id", "assignee_id", postgresql_where=text("assignee_id IS NOT NULL")),
        Index(
            "ix_items_due",
            "workspace_id",
            "due_date",
            "id",
            postgresql_where=text("due_date IS NOT NULL AND deleted_at IS NULL AND completed_at IS NULL"),
        ),
        Index("ix_items_workspace", "workspace_id", "id", postgresql_where=_OPEN),
        Index("ix_items_changes", "workspace_id", "revision", "id"),
        # The orders that filters ask for; open and completed items each have their part.
        *(
            Index(f"ix_items_by_{name}", "workspace_id", _IS_DONE, key, "id", postgresql_where=_LIVE)
            for name, key in _ORDERS.items()
        ),
        # What is urgent, by its date: few items have a priority of their own.
        Index(
            "ix_items_urgent",
            "workspace_id",
            _IS_DONE,
            "priority",
            _ORDERS["due"],
            "id",
            postgresql_where=text("deleted_at IS NULL AND priority < 4"),
        ),
    )

    id: Mapped[Id]
    workspace_id: Mapped[UUID]
    list_id: Mapped[UUID]
    section_id: Mapped[UUID | None]
    parent_id: Mapped[UUID | None]
    title: Mapped[str]
    notes: Mapped[str] = mapped_column(server_default=text("''"))
    priority: Mapped[int] = mapped_column(SmallInteger, server_default=text("4"))
    due_date: Mapped[date | None]
    due_time: Mapped[time | None]
    due_timezone: Mapped[str | None]
    rrule: Mapped[str | None]
    recurrence_mode: Mapped[str | None]
    recurrence_text: Mapped[str | None]
    completed_at: Mapped[Moment | None]
    assignee_id: Mapped[UUID | None]
    position: Mapped[str] = mapped_column(Bytewise)
    subtask_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    attachment_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    comment_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    revision: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[Created]
    updated_at: Mapped[Created]
    deleted_at: Mapped[Moment | None]


class ItemTag(Base):
    """An item carries a tag of its own workspace."""

    __tablename__ = "item_tags"
    __table_args__ = (
        ForeignKeyConstraint(["item_id", "workspace_id"], ["items.id", "items.workspace_id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["tag_id", "workspace_id"], ["tags.id", "tags.workspace_id"], ondelete="CASCADE"),
        Index(None, "tag_id", "item_id"),
    )

    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    tag_id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID]


class Reminder(Base):
    """When to mail somebody about an item: at a moment, or so many minutes before it is due."""

    __tablename__ = "reminders"
    __table_args__ = (
        ForeignKeyConstraint(["item_id", "workspace_id"], ["items.id", "items.workspace_id"], ondelete="CASCADE"),
        CheckConstraint("(minutes_before IS NULL) <> (at IS NULL)", name="moment"),
        Index(None, "item_id"),
        Index(None, "user_id"),
        Index("ix_reminders_due", "fires_at", postgresql_where=text("fires_at IS NOT NULL")),
    )

    id: Mapped[Id]
    workspace_id: Mapped[UUID]
    item_id: Mapped[UUID]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    minutes_before: Mapped[int | None]
    at: Mapped[Moment | None]
    # The moment that follows from either; none once it was sent, or while nothing is due.
    fires_at: Mapped[Moment | None]
    created_at: Mapped[Created]
