"""The tables of the words that items are found by; triggers on items keep both, see migration 0004."""

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from fastier.database import Base, Bytewise


class SearchWord(Base):
    """A word of a workspace, folded; its number is what entries hold, so that no workspace meets another's."""

    __tablename__ = "search_words"
    __table_args__ = (
        UniqueConstraint("workspace_id", "word"),
        Index(
            "ix_search_words_trigrams",
            "workspace_id",
            "word",
            postgresql_using="gin",
            postgresql_ops={"word": "gin_trgm_ops"},
        ),
        # Counts are rewritten by every write: free space on the page keeps that update in place.
        {"postgresql_with": {"fillfactor": "70"}},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    word: Mapped[str] = mapped_column(Bytewise)
    # In how many titles and notes it is.
    uses: Mapped[int] = mapped_column(BigInteger)


class SearchEntry(Base):
    """The words of an item: 2 × the word's number for one of the title, 2 × the number + 1 for one of the notes."""

    __tablename__ = "search_entries"
    __table_args__ = (
        Index("ix_search_entries_keys", "keys", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
    )

    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    keys: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
