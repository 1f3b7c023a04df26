"""The table of sections."""

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from fastier.database import Base, Bytewise, Created, Id, Moment


class Section(Base):
    """A part of a list; deleting it deletes its items with it."""

    __tablename__ = "sections"
    __table_args__ = (
        # What items refer to, so that none can lie in a section of another list.
        UniqueConstraint("id", "list_id"),
        ForeignKeyConstraint(["list_id", "workspace_id"], ["lists.id", "lists.workspace_id"], ondelete="CASCADE"),
        Index("ix_sections_live", "list_id", "position", "id", postgresql_where=text("deleted_at IS NULL")),
        Index(None, "workspace_id", "revision"),
        Index("ix_sections_trash", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
        Index(
            "ix_sections_deleted", "workspace_id", "deleted_at", "id", postgresql_where=text("deleted_at IS NOT NULL")
        ),
    )

    id: Mapped[Id]
    workspace_id: Mapped[UUID]
    list_id: Mapped[UUID]
    name: Mapped[str]
    position: Mapped[str] = mapped_column(Bytewise)
    # Triggers keep both true, see migration 0003.
    open_count: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    done_count: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    revision: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[Created]
    updated_at: Mapped[Created]
    deleted_at: Mapped[Moment | None]
