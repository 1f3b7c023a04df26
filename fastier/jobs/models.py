"""The table of jobs."""

from typing import Any

from sqlalchemy import BigInteger, Identity, Index, SmallInteger, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fastier.database import Base, Created, Moment


class Job(Base):
    """Work to be done; it is deleted when done, and kept with `failed_at` when it was given up."""

    __tablename__ = "jobs"
    __table_args__ = (
        # What a runner looks for: the job that has been due the longest.
        Index("ix_jobs_due", "run_at", "id", postgresql_where=text("failed_at IS NULL")),
        Index("uq_jobs_key", "key", unique=True, postgresql_where=text("failed_at IS NULL")),
        Index("ix_jobs_failed", "failed_at", postgresql_where=text("failed_at IS NOT NULL")),
        {"postgresql_with": {"fillfactor": "70"}},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    key: Mapped[str | None]
    # Due from this moment on; while a runner works on it, the moment at which its lease ends.
    run_at: Mapped[Created]
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    # Names the runner that holds the lease, so that one that lost it cannot finish the job of another.
    holder: Mapped[str | None]
    last_error: Mapped[str | None]
    created_at: Mapped[Created]
    failed_at: Mapped[Moment | None]


class JobPeriod(Base):
    """The last period for which a periodic job was added, by the second of the epoch at which it began."""

    __tablename__ = "job_periods"

    kind: Mapped[str] = mapped_column(primary_key=True)
    period: Mapped[int] = mapped_column(BigInteger)
