"""The table of throttled attempts."""

from sqlalchemy import Index
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from fastier.database import Base, Moment


class Throttle(Base):
    """When a key's attempts will all have been given back; the key itself, an address, is kept as a digest."""

    __tablename__ = "throttles"
    __table_args__ = (Index(None, "full_at"), {"postgresql_with": {"fillfactor": "70"}})

    digest: Mapped[bytes] = mapped_column(BYTEA, primary_key=True)
    full_at: Mapped[Moment]
