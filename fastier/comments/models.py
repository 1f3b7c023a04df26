"""The table of comments."""

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from fastier.database import Base, Created, Id, Moment


class Comment(Base):
    """A text about an item; it stays when its author's account goes."""

    __tablename__ = "comments"
    __table_args__ = (
        ForeignKeyConstraint(["item_id", "workspace_id"], ["items.id", "items.workspace_id"], ondelete="CASCADE"),
        Index("ix_comments_live", "item_id", "id", postgresql_where=text("deleted_at IS NULL")),
        Index(None, "workspace_id", "revision"),
        Index(None, "author_id"),
        # Deleted ones too: by this a purged item takes its comments with it.
        Index(None, "item_id"),
        Index("ix_comments_trash", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
        Index(
            "ix_comments_deleted", "workspace_id", "deleted_at", "id", postgresql_where=text("deleted_at IS NOT NULL")
        ),
    )

    id: Mapped[Id]
    workspace_id: Mapped[UUID]
    item_id: Mapped[UUID]
    author_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    text: Mapped[str]
    revision: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[Created]
    updated_at: Mapped[Created]
    deleted_at: Mapped[Moment | None]
