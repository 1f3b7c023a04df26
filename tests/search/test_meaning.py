"""Random filters on random items: the database finds what the same filter, said in Python, is true of."""

import random
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from uuid_utils.compat import uuid7

from fastier.database import Database
from fastier.search import queries, service
from fastier.search.orders import ORDERS
from fastier.web.viewer import Viewer
from tests.api import Person

TODAY = datetime.now(UTC).date()
WORDS = ["milk", "Milch", "invoice", "Café", "buy", "buying", "7up", "naïve", "ÄRGER"]
TAGS = ["home", "Work", "waiting for", "100%"]
LISTS = ["Inbox", "Garden", "Garden tools"]
ITEMS = 60


@dataclass(frozen=True)
class Said:
    """A filter as it is written, and the same in Python."""

    written: str
    holds: Callable[[dict[str, Any]], bool]
    names_state: bool = False


def _fold(value: str) -> str:
    decomposed = unicodedata.normalize("NFKD", value.lower())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _words(item: dict[str, Any]) -> set[str]:
    return {_fold(word) for word in f"{item['title']} {item['notes']}".split()}


def _in_days(first: int | None, end: int | None) -> Callable[[dict[str, Any]], bool]:
    low = TODAY + timedelta(days=first) if first is not None else date.min
    last = TODAY + timedelta(days=end - 1) if end is not None else date.max
    return lambda item: item["due_date"] is not None and low <= item["due_date"] <= last


def _said(written: str, first: int | None, end: int | None) -> Said:
    return Said(written, _in_days(first, end))


def _leaves(people: dict[str, str]) -> st.SearchStrategy[Said]:
    days = st.integers(-5, 9)
    return st.one_of(
        st.sampled_from(
            [
                _said("today", 0, 1),
                _said("tomorrow", 1, 2),
                _said("overdue", None, 0),
                Said("no date", lambda item: item["due_date"] is None),
                Said("no priority", lambda item: item["priority"] == 4),
                Said("no labels", lambda item: not item["tags"]),
                Said("done", lambda item: item["is_done"], names_state=True),
                Said("all", lambda item: True, names_state=True),
                Said("subtask", lambda item: item["is_subtask"]),
                Said("recurring", lambda item: item["is_recurring"]),
                Said("assigned", lambda item: item["assignee"] is not None),
                Said("assigned to: me", lambda item: item["assignee"] == people["me"]),
                Said("assigned to: others", lambda item: item["assignee"] not in (None, people["me"])),
                Said("assigned to: OTHER person", lambda item: item["assignee"] == people["other"]),
                Said("/later", lambda item: item["in_section"]),
                Said("created: today", lambda item: item["created"] == TODAY),
                Said("created before: today", lambda item: item["created"] < TODAY),
                Said("@w*", lambda item: any(tag.lower().startswith("w") for tag in item["tags"])),
                Said("#Garden*", lambda item: item["list"].startswith("Garden")),
            ]
        ),
        days.map(lambda n: _said(f"due before: {TODAY + timedelta(days=n)}", None, n)),
        days.map(lambda n: _said(f"Due After: {TODAY + timedelta(days=n)}", n + 1, None)),
        st.integers(1, 9).map(lambda n: _said(f"next {n} days", 0, n)),
        st.integers(1, 4).map(lambda level: Said(f"p{level}", lambda item: item["priority"] == level)),
        st.sampled_from(TAGS).map(
            lambda tag: Said(f'@"{tag.upper()}"', lambda item: tag in item["tags"]),
        ),
        st.sampled_from(LISTS).map(
            lambda name: Said("#" + name.replace(" ", "\\ "), lambda item: item["list"] == name)
        ),
        st.tuples(st.sampled_from(WORDS), st.integers(2, 9)).map(_search),
    )


def _search(of: tuple[str, int]) -> Said:
    begun = of[0][: of[1]]
    return Said(f"search: {begun}", lambda item: any(word.startswith(_fold(begun)) for word in _words(item)))


def _both(a: Said, sign: str, b: Said) -> Said:
    def holds(item: dict[str, Any]) -> bool:
        return (a.holds(item) or b.holds(item)) if sign == "|" else (a.holds(item) and b.holds(item))

    return Said(f"({a.written}) {sign} ({b.written})", holds, a.names_state or b.names_state)


def _not(a: Said) -> Said:
    return Said(f"!({a.written})", lambda item: not a.holds(item), a.names_state)


def filters(people: dict[str, str]) -> st.SearchStrategy[Said]:
    return st.recursive(
        _leaves(people),
        lambda inner: st.one_of(st.builds(_both, inner, st.sampled_from(["|", "&", ""]), inner), inner.map(_not)),
        max_leaves=6,
    )


@dataclass
class Garden:
    """A workspace of random items, and the same items as Python knows them."""

    viewer: Viewer
    workspace: UUID
    items: dict[str, dict[str, Any]]
    people: dict[str, str]


@pytest.fixture(scope="module")
def garden(settle: Callable[[str], Person], database: Database) -> Garden:
    r = random.Random(4)
    person, other = settle("gardener"), settle("Other Person")
    with database.transaction() as connection:
        connection.execute(
            text("INSERT INTO members (workspace_id, user_id, role) VALUES (:workspace, :user, 'editor')"),
            {"workspace": person.workspace, "user": other.user_id},
        )
    lists = {"Inbox": person.inbox, **{name: person.new_list(name) for name in LISTS[1:]}}
    people = {"me": person.user_id, "other": other.user_id}
    items = {}
    for _ in range(ITEMS):
        item = _grow(r, person, lists, list(people.values()), list(items), database)
        items[item.pop("id")] = item
    viewer = Viewer(UUID(person.user_id), UUID(person.user_id), "read", "UTC", is_verified=True)
    return Garden(viewer, UUID(person.workspace), items, people)


def _grow(
    r: random.Random, person: Person, lists: dict[str, str], people: list[str], others: list[str], database: Database
) -> dict[str, Any]:
    name = r.choice(LISTS)
    due = r.choice([None, None, date.min, date.max, *(TODAY + timedelta(days=n) for n in range(-6, 11))])
    said: dict[str, Any] = {
        "title": " ".join(r.sample(WORDS, r.randint(1, 2))),
        "notes": " ".join(r.sample(WORDS, r.randint(0, 2))),
        "priority": r.choice([1, 2, 3, 4, 4]),
        "tags": r.sample(TAGS, r.choice([0, 0, 1, 2])),
    }
    made = person.item(list_id=lists[name], due=due and {"date": str(due)}, **said)
    columns: dict[str, Any] = {
        "completed_at": datetime.now(UTC) if r.random() < 0.2 else None,
        "created_at": datetime.now(UTC) - timedelta(days=r.choice([0, 0, 3])),
        "assignee_id": r.choice([None, *people]),
        "parent_id": r.choice([None, None, *others[:3]]),
        "rrule": r.choice([None, None, "FREQ=DAILY"]),
        "deleted_at": datetime.now(UTC) if r.random() < 0.1 else None,
    }
    columns["recurrence_mode"] = "schedule" if columns["rrule"] else None
    in_section = name == "Garden" and r.random() < 0.5
    with database.transaction() as connection:
        if in_section:
            columns["section_id"] = _section(connection, person, lists[name])
        assignments = ", ".join(f"{column} = :{column}" for column in columns)
        connection.execute(text(f"UPDATE items SET {assignments} WHERE id = :id"), {**columns, "id": made["id"]})
    return {
        **said,
        "id": made["id"],
        "due_date": due,
        "is_done": columns["completed_at"] is not None,
        "is_deleted": columns["deleted_at"] is not None,
        "is_subtask": columns["parent_id"] is not None,
        "is_recurring": columns["rrule"] is not None,
        "assignee": columns["assignee_id"],
        "created": columns["created_at"].date(),
        "list": name,
        "in_section": in_section,
    }


def _section(connection: Any, person: Person, list_id: str) -> str:
    there = text("SELECT CAST(id AS text) FROM sections WHERE list_id = :list LIMIT 1")
    if (found := connection.execute(there, {"list": list_id}).scalar_one_or_none()) is None:
        found = str(uuid7())
        made = text(
            """INSERT INTO sections (id, workspace_id, list_id, name, position, revision)
            VALUES (:id, :workspace, :list, 'Later', 'n', 1)"""
        )
        connection.execute(made, {"id": found, "workspace": person.workspace, "list": list_id})
    return str(found)


def _read(database: Database, garden: Garden, written: str, sort: str, limit: int, everywhere: bool) -> list[str]:
    """The ids of all pages of a filter."""
    ids: list[str] = []
    after = None
    with database.reading() as connection:
        for _ in range(500):
            workspace = None if everywhere else garden.workspace
            prepared = service.prepare_filter(connection, garden.viewer, workspace, written, sort)
            found = service.page_of(connection, prepared, sort, limit + 1, after, 10_000)
            ids += [row["item"]["id"] for row in found.rows[:limit]]
            after = found.rows[limit - 1]["place"] if len(found.rows) > limit else found.resume
            if after is None:
                return ids
    raise AssertionError("the pages do not end")


@pytest.fixture(params=["from the smallest part", "in the order asked for"])
def plan(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either plan, and so few rows a request that most pages end before the limit."""
    monkeypatch.setattr(queries, "_MOST_READ", 4)
    if request.param == "in the order asked for":
        monkeypatch.setattr(queries, "MOST_CANDIDATES", -1)


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_database_finds_what_python_finds(garden: Garden, database: Database, plan: None, data: Any) -> None:
    said = data.draw(filters(garden.people))
    sort = data.draw(st.sampled_from(sorted(ORDERS)))
    limit = data.draw(st.sampled_from([1, 3, 50]))
    found = _read(database, garden, said.written, sort, limit, data.draw(st.booleans()))
    expected = {
        id
        for id, item in garden.items.items()
        if not item["is_deleted"] and (said.names_state or not item["is_done"]) and said.holds(item)
    }
    assert len(found) == len(set(found))
    assert set(found) == expected
    if sort == "due":
        keys = [(garden.items[id]["due_date"] is None, garden.items[id]["due_date"], id) for id in found]
        assert keys == sorted(keys)
    if sort == "-priority":
        ranks = [(garden.items[id]["priority"], id) for id in found]
        assert ranks == sorted(ranks, reverse=True)
