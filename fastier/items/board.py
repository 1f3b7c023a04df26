"""SQL and rules of boards: sections with their first cards, in one statement that reads as much as is shown."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection, TextClause, text

from fastier.items.queries import ITEM_TAGS, due_body

MOST_COLUMNS = 100
# About how many cards are read for one board, whatever its sections hold.
MOST_CARDS = 160
# What its cards and sections take at most, in bytes; the rest is for the next page.
LARGEST_BOARD = 96_000

_SECTION = ("id", "list_id", "name", "position", "created_at", "updated_at", "revision")
_STATES = {
    "false": ("completed_at IS NULL", "position {0}, id {0}", "ASC", "open_count"),
    "true": ("completed_at IS NOT NULL", "completed_at {0}, id {0}", "DESC", "done_count"),
}


def _statement(state: str, *, is_continued: bool) -> TextClause:
    condition, order, direction, counted = _STATES[state]
    order = order.format(direction)
    cards = f"""SELECT * FROM items
            WHERE list_id = :list AND {{place}} AND deleted_at IS NULL AND {condition} AND c.before < {MOST_CARDS}"""
    # Items of no section come first, as the counts of the list less those of its sections.
    unsorted = """SELECT NULL, NULL, NULL, '', NULL, NULL, NULL,
            l.open_count - coalesce(s.opened, 0), l.done_count - coalesce(s.done, 0), 0, false
        FROM lists l, (SELECT sum(open_count) AS opened, sum(done_count) AS done FROM sections
            WHERE list_id = :list AND deleted_at IS NULL) s
        WHERE l.id = :list UNION ALL"""
    after = "AND (position, id) > (:key, CAST(:id AS uuid))" if is_continued else ""
    in_order = ", ".join(f"i.{key}" for key in order.split(", "))
    return text(
        f"""WITH s AS (
            SELECT *, sum(least({counted}, :cards)) OVER (ORDER BY position, id) - least({counted}, :cards) AS before
            FROM (SELECT * FROM sections WHERE list_id = :list AND deleted_at IS NULL {after}
                ORDER BY position, id LIMIT {MOST_COLUMNS + 1}) first),
        c (id, list_id, name, position, created_at, updated_at, revision, open_count, done_count, before,
            is_section) AS (
            {"" if is_continued else unsorted}
            SELECT id, list_id, name, position, created_at, updated_at, revision, open_count, done_count, before, true
            FROM s)
        SELECT CAST(c.id AS text), CAST(c.list_id AS text), c.name, c.position, c.created_at, c.updated_at, c.revision,
            c.open_count, c.done_count, c.before >= {MOST_CARDS} AS is_beyond,
            CAST(i.id AS text), CAST(i.parent_id AS text), i.title, i.priority, g.names, i.due_date, i.due_time,
            i.due_timezone, i.rrule IS NOT NULL, i.completed_at, CAST(i.assignee_id AS text), i.position,
            i.notes <> '', i.subtask_count, i.attachment_count, i.comment_count, greatest(i.revision, g.revision)
        FROM c LEFT JOIN LATERAL (
            (SELECT * FROM ({cards.format(place="section_id = c.id")}) x ORDER BY {order} LIMIT :limit)
            UNION ALL
            (SELECT * FROM ({cards.format(place="section_id IS NULL AND NOT c.is_section")}) x
                ORDER BY section_id {direction}, {order} LIMIT :limit)) i ON true
        {ITEM_TAGS}
        ORDER BY c.is_section, c.position, c.id, {in_order}"""
    )


_STATEMENTS = {
    (state, is_continued): _statement(state, is_continued=is_continued)
    for state in _STATES
    for is_continued in (False, True)
}


@dataclass(slots=True)
class Column:
    """A section, or None for the items of no section, with the cards that are shown; `more` where there are others."""

    section: dict[str, Any] | None
    open_count: int
    done_count: int
    cards: list[dict[str, Any]] = field(default_factory=list)
    more: bool = False
    is_beyond: bool = False

    @property
    def place(self) -> list[Any]:
        """What the next page of the board continues after."""
        return [self.section["position"], self.section["id"]] if self.section else ["", str(UUID(int=0))]


@dataclass(frozen=True, slots=True)
class Shown:
    """A page of a board, and whether there are further sections."""

    columns: list[Column]
    more: bool


def board(connection: Connection, list_id: UUID, completed: str, cards: int, after: list[Any] | None) -> Shown:
    """The board of a list to which the viewer's access has been checked, from the section after the given one on."""
    parameters: dict[str, Any] = {"list": str(list_id), "cards": cards, "limit": cards + 1}
    if after:
        parameters |= {"key": after[0], "id": after[1]}
    rows = connection.execute(_STATEMENTS[completed, after is not None], parameters).all()
    columns = [_column(list(of_one), cards) for _, of_one in groupby(rows, key=lambda row: row[0])]
    most = MOST_COLUMNS if after else MOST_COLUMNS + 1
    shown = list(_fitting(columns[:most]))
    return Shown(shown, len(shown) < len(columns))


def _column(rows: list[Any], cards: int) -> Column:
    head = rows[0]
    section = dict(zip(_SECTION, head, strict=False)) if head[0] else None
    column = Column(section, int(head[7]), int(head[8]), is_beyond=head[9])
    column.cards = [_card(row[10:]) for row in rows[:cards] if row[10] is not None]
    column.more = len(rows) > cards
    return column


def _card(row: Any) -> dict[str, Any]:
    (id, parent_id, title, priority, tags, due_date, due_time, due_timezone, is_recurring, completed_at, assignee_id,
     position, has_notes, subtask_count, attachment_count, comment_count, revision) = row  # fmt: skip
    return {
        "id": id,
        "parent_id": parent_id,
        "title": title,
        "priority": priority,
        "tags": tags or [],
        "due": due_body(due_date, due_time, due_timezone) if due_date else None,
        "is_recurring": is_recurring,
        "completed_at": completed_at,
        "assignee_id": assignee_id,
        "position": position,
        "has_notes": has_notes,
        "subtask_count": subtask_count,
        "attachment_count": attachment_count,
        "comment_count": comment_count,
        "revision": revision,
    }


def _fitting(columns: list[Column]) -> Iterator[Column]:
    """The columns that a page has room for, the last of them perhaps with fewer cards; at least one."""
    left = LARGEST_BOARD
    for column in columns:
        # A cursor, the counts and the names of the fields, besides what the section itself takes.
        left -= len(orjson.dumps(column.section)) + 250
        sizes = [len(orjson.dumps(card)) + 1 for card in column.cards]
        if column.is_beyond or left < (sizes[0] if sizes else 0):
            return
        room = 0
        for size in sizes:
            if size > left:
                break
            left -= size
            room += 1
        column.more = column.more or room < len(sizes)
        column.cards = column.cards[:room]
        yield column
