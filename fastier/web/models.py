"""The table of answers kept for Idempotency-Key."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from fastier.database import Base, Created


class KeptAnswer(Base):
    """The answer to one keyed request of one user, committed together with its effect."""

    __tablename__ = "kept_answers"
    __table_args__ = (
        CheckConstraint("length(key) BETWEEN 1 AND 255", name="key_length"),
        Index(None, "created_at"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String, primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(BYTEA)
    status: Mapped[int] = mapped_column(SmallInteger)
    body: Mapped[bytes] = mapped_column(BYTEA)
    etag: Mapped[str | None]
    created_at: Mapped[Created]
