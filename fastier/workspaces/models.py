"""The tables of workspaces and their members."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fastier.database import Base, Created, Id, Moment


class Workspace(Base):
    """A tenant; each write to its content takes the next revision while it holds this row's lock."""

    __tablename__ = "workspaces"
    # The revision is rewritten by every write: free space on the page keeps that update in place.
    __table_args__ = ({"postgresql_with": {"fillfactor": "50"}},)

    id: Mapped[Id]
    name: Mapped[str]
    is_personal: Mapped[bool] = mapped_column(server_default=text("false"))
    revision: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    changed_at_revision: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    storage_used: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    storage_quota: Mapped[int] = mapped_column(BigInteger, server_default=text(str(10 * 1024**3)))
    created_at: Mapped[Created]
    updated_at: Mapped[Created]
    deleted_at: Mapped[Moment | None]


class Member(Base):
    """Who belongs to a workspace, and what they may do in it."""

    __tablename__ = "members"
    __table_args__ = (
        CheckConstraint("role IN ('owner', 'admin', 'editor', 'viewer')", name="role"),
        Index(None, "user_id"),
    )

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str]
    # At which it last changed; a trigger keeps it.
    revision: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    created_at: Mapped[Created]


class Activity(Base):
    """What somebody did; written by the statement that takes the write's revision, told by the activity feature."""

    __tablename__ = "activities"
    __table_args__ = (
        Index(None, "workspace_id", "id"),
        Index(None, "item_id", "id", postgresql_where=text("item_id IS NOT NULL")),
        Index(None, "at"),
        Index(None, "actor_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    revision: Mapped[int] = mapped_column(BigInteger)
    actor_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    kind: Mapped[str]
    subject_id: Mapped[UUID]
    # No foreign key: what was done to an item is still told when the item has been purged.
    item_id: Mapped[UUID | None]
    data: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    at: Mapped[Created]
