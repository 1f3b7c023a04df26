"""The tables of users, of their credentials, and of the links mailed to them."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from fastier.database import Base, Bytewise, Created, Id, Moment


class User(Base):
    """A person; the address is kept in lower case, by which it is unique."""

    __tablename__ = "users"
    __table_args__ = (Index("uq_users_email", "email", unique=True),)

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(Bytewise)
    name: Mapped[str]
    password_hash: Mapped[str]
    timezone: Mapped[str]
    verified_at: Mapped[Moment | None]
    created_at: Mapped[Created]
    updated_at: Mapped[Created]


class Token(Base):
    """A credential: a sign-in (`session`) or a personal token; only its digest is kept."""

    __tablename__ = "tokens"
    __table_args__ = (
        CheckConstraint("kind IN ('session', 'personal')", name="kind"),
        CheckConstraint("scope IN ('read', 'write', 'account')", name="scope"),
        Index("uq_tokens_digest", "digest", unique=True),
        Index(None, "user_id", "kind", "id"),
        Index(None, "expires_at"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str]
    digest: Mapped[bytes] = mapped_column(BYTEA)
    scope: Mapped[str]
    name: Mapped[str]
    hint: Mapped[str]
    created_at: Mapped[Created]
    expires_at: Mapped[Moment]
    last_used_at: Mapped[Created]


class MailedLink(Base):
    """A secret mailed to a user, good once: to verify the address or to set a new password."""

    __tablename__ = "mailed_links"
    __table_args__ = (
        CheckConstraint("purpose IN ('verify', 'reset')", name="purpose"),
        Index(None, "user_id"),
        Index(None, "expires_at"),
    )

    digest: Mapped[bytes] = mapped_column(BYTEA, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Mapped[str]
    created_at: Mapped[Created]
    expires_at: Mapped[Moment]
