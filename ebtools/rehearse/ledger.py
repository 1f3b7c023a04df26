"""Keeps account of every write that was acknowledged, and compares it with what the database holds in the end."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg2

from ebtools.rehearse.mix import Write
from ebtools.rehearse.people import People

ROWS_AT_ONCE = 5000
MOST_ROWS = 10_000_000
_OPTIONS = "-c statement_timeout=30000 -c default_transaction_read_only=on"
_LIMITS: dict[str, Any] = {"connect_timeout": 10, "tcp_user_timeout": 30_000, "options": _OPTIONS}
_FIRST = "00000000-0000-0000-0000-000000000000"
_PAGE = """SELECT id::text, title, notes, completed_at, deleted_at FROM items
    WHERE workspace_id = %s::uuid AND id > %s::uuid ORDER BY id LIMIT %s"""


class LedgerError(Exception):
    """The database could not be read to its end, so that nothing is known about the writes."""


@dataclass(slots=True)
class Entry:
    """One write that was sent; `acknowledged` is seconds since the act began, None while its outcome is unknown.

    `is_denied`: it was answered with 503 and Retry-After, which says that nothing was changed.
    """

    request_id: str
    kind: str
    item: str
    title: str
    mark: str
    acknowledged: float | None = None
    is_denied: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """One write of which the database says something else than its answer; `acknowledged` is 0 without one."""

    request_id: str
    kind: str
    item: str
    acknowledged: float
    wanted: str
    found: str


@dataclass(frozen=True, slots=True)
class LedgerResult:
    """How many writes were acknowledged, which of them are missing or there twice, and what became of the unknown.

    `denied_present` are writes that were answered with 503 and Retry-After and are there all the same: nothing is lost
    by that, but the answer was wrong, so that they do not decide whether the ledger has `passed`.
    """

    acknowledged: int
    lost: list[Fault]
    doubled: list[Fault]
    unknown_present: int
    unknown_absent: int
    denied_present: list[Fault] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.lost and not self.doubled


@dataclass(frozen=True, slots=True)
class _Row:
    id: str
    title: str
    completed_at: datetime | None
    deleted_at: datetime | None


@dataclass
class Ledger:
    """The writes of one person's workspace, in the order in which they were sent."""

    workspace: str
    entries: dict[str, Entry] = field(default_factory=dict)

    @classmethod
    def opened(cls, people: People) -> "Ledger":
        """With the items that were prepared: no act changes them, so that they must be there as well."""
        ledger = cls(people.workspace)
        for item, title in people.items.items():
            ledger.sent(f"prepared-{item}", Write("create", item, title))
            ledger.acknowledge(f"prepared-{item}", item, 0.0)
        return ledger

    def sent(self, request_id: str, write: Write) -> None:
        """A write is on its way; its outcome is unknown until it is acknowledged or known to be without effect."""
        self.entries[request_id] = Entry(request_id, write.kind, write.item, write.title, write.mark)

    def acknowledge(self, request_id: str, item: str, at: float) -> None:
        entry = self.entries[request_id]
        entry.item, entry.acknowledged = item, at

    def deny(self, request_id: str) -> None:
        """The answer says that the write had no effect, for a reason that may lie in the middle of it."""
        self.entries[request_id].is_denied = True

    def forget(self, request_id: str) -> None:
        """The write is known to have had no effect: it was never sent, or refused by the rules of the API."""
        self.entries.pop(request_id, None)

    def check(self, database_url: str) -> LedgerResult:
        """Compare with the database; LedgerError when it cannot be read. Bounded statements, nothing is written."""
        try:
            return _Audit(self, _rows(database_url, self.workspace)).result()
        except psycopg2.Error as error:
            # Its text may hold the address of the database, but never the password.
            told = " ".join(str(error).split())
            raise LedgerError(f"The items could not be read: {type(error).__name__}: {told}") from error


class _Audit:
    """What the database holds of each write: the rows of the items, and those that carry the mark of a create."""

    def __init__(self, ledger: Ledger, rows: Iterator[tuple[str, _Row]]) -> None:
        self.entries = list(ledger.entries.values())
        items = {entry.item for entry in self.entries if entry.item}
        marks = {entry.mark for entry in self.entries if entry.mark}
        self.by_item: dict[str, _Row] = {}
        self.by_mark: dict[str, list[_Row]] = {}
        for mark, row in rows:
            if row.id in items:
                self.by_item[row.id] = row
            if mark in marks:
                self.by_mark.setdefault(mark, []).append(row)
        self.titles = self._possible_titles()

    def _possible_titles(self) -> dict[str, list[str]]:
        """The titles that an item may have: the last acknowledged one first, then those of unknown outcome."""
        titles: dict[str, list[str]] = {}
        for entry in self.entries:
            item = entry.item or next((row.id for row in self.by_mark.get(entry.mark, [])), "")
            if entry.kind in ("create", "edit") and item:
                known = titles.setdefault(item, [])
                if entry.acknowledged is not None and known:
                    known[0] = entry.title
                else:
                    known.append(entry.title)
        return titles

    def result(self) -> LedgerResult:
        lost = [fault for entry in self.entries if entry.acknowledged is not None for fault in self._lost(entry)]
        doubled = [fault for entry in self.entries for fault in self._doubled(entry)]
        denied = [entry for entry in self.entries if entry.is_denied]
        unknown = [entry for entry in self.entries if entry.acknowledged is None and not entry.is_denied]
        present = sum(map(self._is_there, unknown))
        return LedgerResult(
            acknowledged=len(self.entries) - len(unknown) - len(denied),
            lost=lost,
            doubled=doubled,
            unknown_present=present,
            unknown_absent=len(unknown) - present,
            denied_present=[_fault(entry, "nothing", "it is there") for entry in denied if self._is_there(entry)],
        )

    def _row(self, entry: Entry) -> _Row | None:
        if entry.item:
            return self.by_item.get(entry.item)
        return next(iter(self.by_mark.get(entry.mark, [])), None)

    def _is_there(self, entry: Entry) -> bool:
        """Whether a write that was not acknowledged has had its effect."""
        row = self._row(entry)
        if row is None:
            return False
        if entry.kind == "complete":
            return row.completed_at is not None
        return entry.kind == "create" or row.title == entry.title

    def _lost(self, entry: Entry) -> list[Fault]:
        row = self._row(entry)
        wanted = "completed" if entry.kind == "complete" else f"title {entry.title}"
        if row is None:
            return [_fault(entry, wanted, "no such item")]
        if row.deleted_at is not None:
            return [_fault(entry, wanted, "deleted")]
        if entry.kind == "complete":
            return [] if row.completed_at is not None else [_fault(entry, wanted, "open")]
        possible = self.titles[row.id]
        # An earlier title has been replaced by the one that must hold now: only that one's write can be lost.
        if row.title in possible or entry.title != possible[0]:
            return []
        return [_fault(entry, wanted, f"title {row.title}")]

    def _doubled(self, entry: Entry) -> list[Fault]:
        rows = self.by_mark.get(entry.mark, []) if entry.mark else []
        if len(rows) < 2:
            return []
        return [_fault(entry, "one item", ", ".join(row.id for row in rows[:5]))]


def _fault(entry: Entry, wanted: str, found: str) -> Fault:
    return Fault(entry.request_id, entry.kind, entry.item, entry.acknowledged or 0.0, wanted, found)


def _rows(database_url: str, workspace: str) -> Iterator[tuple[str, _Row]]:
    """The workspace's items, deleted ones too, each with its notes, from bounded statements."""
    url = database_url.replace("postgresql+psycopg2://", "postgresql://", 1)
    with closing(psycopg2.connect(url, **_LIMITS)) as connection:
        after = _FIRST
        for _ in range(MOST_ROWS // ROWS_AT_ONCE):
            page = _page(connection, workspace, after)
            for id, title, notes, completed_at, deleted_at in page:
                yield notes, _Row(id, title, completed_at, deleted_at)
            if len(page) < ROWS_AT_ONCE:
                return
            after = page[-1][0]
    raise LedgerError(f"The workspace holds more than {MOST_ROWS} items")


def _page(connection: Any, workspace: str, after: str) -> list[tuple[Any, ...]]:
    with connection, connection.cursor() as cursor:
        cursor.execute(_PAGE, (workspace, after, ROWS_AT_ONCE))
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
