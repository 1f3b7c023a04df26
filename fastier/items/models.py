"""The tables of items and of the tags that they carry."""

from datetime import date, time
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from fastier.database import Base, Bytewise, Created, Id, Moment


class Item(Base):
    """One thing to organise; a due date is a date, or a date and a time in a zone."""

    __tablename__ = "items"
    __table_args__ = (
        UniqueConstraint("id", "workspace_id"),
        ForeignKeyConstraint(["list_id", "workspace_id"], ["lists.id", "lists.workspace_id"], ondelete="CASCADE"),
        CheckConstraint("priority BETWEEN 1 AND 4", name="priority"),
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
    )

    id: Mapped[Id]
    workspace_id: Mapped[UUID]
    list_id: Mapped[UUID]
    title: Mapped[str]
    notes: Mapped[str] = mapped_column(server_default=text("''"))
    priority: Mapped[int] = mapped_column(SmallInteger, server_default=text("4"))
    due_date: Mapped[date | None]
    due_time: Mapped[time | None]
    due_timezone: Mapped[str | None]
    completed_at: Mapped[Moment | None]
    position: Mapped[str] = mapped_column(Bytewise)
    attachment_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
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
