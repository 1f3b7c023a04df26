"""The table of those who have left a workspace, so that clients learn of it; a trigger on members keeps it."""

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from fastier.database import Base, Created


class FormerMember(Base):
    """Who left a workspace, and at which revision; the row goes when they come back, or after a month."""

    __tablename__ = "former_members"
    __table_args__ = (Index(None, "left_at"),)

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(BigInteger)
    left_at: Mapped[Created]
