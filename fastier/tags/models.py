"""The table of tags."""

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from fastier.database import Base, Bytewise, Created, Id, Moment


class Tag(Base):
    """A tag; `folded` is its name without case, by which it is unique and sorted on every server alike."""

    __tablename__ = "tags"
    __table_args__ = (
        UniqueConstraint("id", "workspace_id"),
        Index(
            "uq_tags_workspace_id_folded",
            "workspace_id",
            "folded",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_tags_changes", "workspace_id", "revision"),
        Index("ix_tags_trash", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
        Index("ix_tags_deleted", "workspace_id", "deleted_at", "id", postgresql_where=text("deleted_at IS NOT NULL")),
    )

    id: Mapped[Id]
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str]
    folded: Mapped[str] = mapped_column(Bytewise)
    revision: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[Created]
    updated_at: Mapped[Created]
    deleted_at: Mapped[Moment | None]
