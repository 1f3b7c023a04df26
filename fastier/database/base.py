"""The declarative base of every table: naming of constraints and the column types that recur."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from sqlalchemy import DateTime, MetaData, String, Uuid, text
from sqlalchemy.orm import DeclarativeBase, mapped_column

# Sorts by bytes whatever the database's locale, so that an order key means the same on every server.
Bytewise = String(collation="C")

# Ids are made by the application or its clients (UUID version 7); the database has no default for them.
Id = Annotated[UUID, mapped_column(Uuid, primary_key=True)]
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Created = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=text("now()"))]


class Base(DeclarativeBase):
    """Every table's parent; its names are what Alembic and the error handler find constraints by."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
