"""The table of lists."""

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from fastier.database import Base, Bytewise, Created, Id, Moment


class List(Base):
    """A list of items; deleting it hides its items without touching them."""

    __tablename__ = "lists"
    __table_args__ = (
        # What items refer to, so that none can lie in another workspace than its list.
        UniqueConstraint("id", "workspace_id"),
        Index(None, "workspace_id", "position", "id", postgresql_where=text("deleted_at IS NULL")),
        Index("ix_lists_changes", "workspace_id", "revision"),
        Index("ix_lists_trash", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
        Index("ix_lists_deleted", "workspace_id", "deleted_at", "id", postgresql_where=text("deleted_at IS NOT NULL")),
    )

    id: Mapped[Id]
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str]
    is_inbox: Mapped[bool] = mapped_column(server_default=text("false"))
    position: Mapped[str] = mapped_column(Bytewise)
    # Triggers keep both true, see migration 0003.
    open_count: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    done_count: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    revision: Mapped[int] = mapped_column(BigInteger)
    # The revision at which it was last deleted or restored, and its items with it; a trigger keeps it.
    hidden_or_shown_at: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    created_at: Mapped[Created]
    updated_at: Mapped[Created]
    deleted_at: Mapped[Moment | None]
