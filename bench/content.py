"""Fills workspaces with what people keep: words as common as in a language, lists, sections, dates, people."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from uuid import UUID

import psycopg2
from uuid_utils.compat import uuid7

from bench.servers import Place
from fastier.accounts.queries import insert_user
from fastier.accounts.service import _start_session
from fastier.database import Database
from fastier.lists.service import create_inbox
from fastier.workspaces import queries as workspaces
from fastier.workspaces.access import Access

# As many as a large organisation's titles hold; the n-th is n times rarer than the first.
WORDS = 80_000
SECTIONS = 20
LISTS = 20
TAGS = 20
# A statement's triggers gather what it wrote, so that a statement has a size to be bounded.
_BATCH = 20_000
_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
_ITEM = (
    "id, workspace_id, list_id, section_id, title, notes, position, revision, priority, due_date, completed_at, "
    "assignee_id"
)


@dataclass(frozen=True, slots=True)
class Content:
    """A filled workspace, and what of it the requests name."""

    place: Place
    user: UUID
    workspace: UUID
    board: UUID


def word(number: int) -> str:
    """The word of this rank, from 1; no two are alike."""
    letters, rest = [], number + len(_SYLLABLES)
    while rest:
        rest, digit = divmod(rest, len(_SYLLABLES))
        letters.append(_SYLLABLES[digit])
    return "".join(letters)


def fill(database: Database, url: str, name: str, items: int) -> Content:
    """A person with a workspace of so many items, half of them on one board, half of all completed."""
    fields = {"id": uuid7(), "email": f"{name}@example.com", "name": name, "password_hash": "", "timezone": "UTC"}
    with database.transaction() as connection:
        user = insert_user(connection, fields)
        assert user is not None
        held = Access(uuid7(), 1, "owner")
        workspaces.insert(connection, user["id"], held.workspace_id, name, is_personal=True)
        inbox = create_inbox(connection, held)["id"]
        token = _start_session(connection, user["id"], "bench")
    filling = psycopg2.connect(url)
    try:
        with filling, filling.cursor() as cursor:
            board = _Filling(cursor, UUID(str(user["id"])), held.workspace_id, items).run()
    finally:
        filling.close()
    return Content(Place(items, token, str(inbox)), UUID(str(user["id"])), held.workspace_id, board)


def neighbours(database: Database, url: str, member: Content, count: int, items: int) -> None:
    """So many other workspaces, of which the member is one of the people."""
    for number in range(count):
        other = fill(database, url, f"neighbour-{number}", items)
        with database.transaction() as connection:
            connection.exec_driver_sql(
                "INSERT INTO members (workspace_id, user_id, role) VALUES (%s, %s, 'editor')",
                (other.workspace, member.user),
            )


class _Filling:
    """Writes one workspace's content; the same for the same size, but for ids."""

    def __init__(self, cursor: "psycopg2.extensions.cursor", user: UUID, workspace: UUID, items: int) -> None:
        self.cursor, self.user, self.workspace, self.items = cursor, user, workspace, items
        self.random = random.Random(items)  # noqa: S311 - content that is the same in each run
        self.now = datetime.now(UTC)
        self.lists = [uuid7() for _ in range(LISTS)]
        self.sections = [uuid7() for _ in range(SECTIONS)]
        self.tags = [uuid7() for _ in range(TAGS)]

    def run(self) -> UUID:
        lists = ((each, self.workspace, f"list-{n}", f"p{n:03}V", 1) for n, each in enumerate(self.lists))
        self._copy("lists", "id, workspace_id, name, position, revision", lists)
        sections = (
            (each, self.workspace, self.lists[0], f"section-{n}", f"p{n:03}V", 1)
            for n, each in enumerate(self.sections)
        )
        self._copy("sections", "id, workspace_id, list_id, name, position, revision", sections)
        tags = ((each, self.workspace, f"tag-{n}", f"tag-{n}", 1) for n, each in enumerate(self.tags, 1))
        self._copy("tags", "id, workspace_id, name, folded, revision", tags)
        for begin in range(0, self.items, _BATCH):
            numbers = range(begin, min(begin + _BATCH, self.items))
            ids = [uuid7() for _ in numbers]
            self._copy("items", _ITEM, (self._item(n, each) for n, each in zip(numbers, ids, strict=True)))
            self._copy("item_tags", "item_id, tag_id, workspace_id", self._tagged(ids))
        self.cursor.execute("UPDATE workspaces SET revision = %s WHERE id = %s", (self.items + 1, str(self.workspace)))
        return self.lists[0]

    def _item(self, number: int, each: UUID) -> tuple[object, ...]:
        chance = self.random.random
        on_board = number % 2 == 0
        title = " ".join(word(int(WORDS ** chance())) for _ in range(5))
        if number % 200 == 7:
            title += " invoice"
        due = date(2026, 6, 1) + timedelta(days=int(chance() * 365)) if number % 3 == 0 else None
        return (
            each,
            self.workspace,
            self.lists[0] if on_board else self.lists[1 + number // 2 % (LISTS - 1)],
            self.sections[number // 2 % SECTIONS] if on_board else None,
            title,
            "a line of notes",
            f"p{number:010}V",
            number + 2,
            self.random.choices((1, 2, 3, 4), (1, 5, 10, 84))[0],
            due,
            self.now - timedelta(minutes=number) if number // 4 % 2 else None,
            self.user if number % 20 == 3 else None,
        )

    def _tagged(self, ids: list[UUID]) -> Iterator[tuple[object, ...]]:
        for each in ids:
            for tag in self.random.sample(self.tags, 2):
                yield each, tag, self.workspace

    def _copy(self, table: str, columns: str, rows: Iterator[tuple[object, ...]]) -> None:
        lines = ("\t".join("\\N" if value is None else str(value) for value in row) for row in rows)
        self.cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN", StringIO("\n".join(lines)))
