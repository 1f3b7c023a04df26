"""PostgreSQL: the pool, transactions, statement counts and the declarative base."""

from fastier.database.base import Base, Bytewise, Created, Id, Moment
from fastier.database.engine import Database, is_transient
from fastier.database.statistics import Statistics, measure

__all__ = ["Base", "Bytewise", "Created", "Database", "Id", "Moment", "Statistics", "is_transient", "measure"]
