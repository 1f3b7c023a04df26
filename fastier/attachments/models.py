"""The table of attachments."""

from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from fastier.database import Base, Bytewise, Created, Id, Moment


class Attachment(Base):
    """A file: `uploading` from the moment its upload was allowed, `ready` once it was found as announced."""

    __tablename__ = "attachments"
    __table_args__ = (
        ForeignKeyConstraint(["item_id", "workspace_id"], ["items.id", "items.workspace_id"]),
        CheckConstraint("status IN ('uploading', 'ready')", name="status"),
        CheckConstraint("size >= 0", name="size"),
        Index(None, "item_id", "id"),
        Index(None, "created_by"),
        Index("ix_attachments_uploading", "created_at", postgresql_where=text("status = 'uploading'")),
        Index("ix_attachments_changes", "workspace_id", "revision"),
        Index("ix_attachments_trash", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
    )

    id: Mapped[Id]
    workspace_id: Mapped[UUID]
    item_id: Mapped[UUID]
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    status: Mapped[str] = mapped_column(server_default=text("'uploading'"))
    file_name: Mapped[str]
    content_type: Mapped[str]
    # What the first bytes say the file is, where they say anything.
    sniffed_type: Mapped[str | None]
    size: Mapped[int] = mapped_column(BigInteger)
    checksum: Mapped[str | None]
    object_key: Mapped[str] = mapped_column(Bytewise)
    # Of an upload in parts; made when its addresses are first signed.
    upload_id: Mapped[str | None]
    revision: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[Created]
    completed_at: Mapped[Moment | None]
    deleted_at: Mapped[Moment | None]
