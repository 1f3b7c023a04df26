"""Boards: sections with their first cards, bounded in statements and bytes, and counts that are always true."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from fastier.database import Database, Statistics
from fastier.items import board
from fastier.services import Services
from fastier.trash import purging
from tests.api import Person, pointers, problem

SIZES = (100, 100_000)
SECTIONS = 8

_SORT = text(
    """WITH s AS (
        INSERT INTO sections (id, workspace_id, list_id, name, position, revision)
        SELECT gen_random_uuid(), :workspace, :list, 'Section ' || n, 'n' || lpad(n::text, 9, '0') || 'V', 1
        FROM generate_series(1, :sections) n RETURNING id)
    SELECT array_agg(id) FROM s"""
)
_SPREAD = text(
    """UPDATE items SET section_id = (CAST(:sections AS uuid[]))[1 + revision % :columns],
        completed_at = CASE WHEN revision % 3 = 0 THEN now() END
    WHERE list_id = :list"""
)


def _section(who: Person, name: str = "Doing", list_id: str | None = None) -> str:
    response = who.post(f"/lists/{list_id or who.inbox}/sections", {"name": name})
    assert response.status_code == 201, response.text
    return str(response.json["id"])


def _board(who: Person, query: str = "", list_id: str | None = None) -> Any:
    response = who.get(f"/lists/{list_id or who.inbox}/board{query}")
    assert response.status_code == 200, response.text
    return response.json


def _shown(page: Any) -> dict[str | None, list[str]]:
    return {
        column["section"] and column["section"]["name"]: [card["title"] for card in column["cards"]]
        for column in page["columns"]
    }


def test_a_board_shows_each_section_with_its_first_cards(alice: Person) -> None:
    todo, doing = _section(alice, "To do"), _section(alice, "Doing")
    for title in "abc":
        alice.item(title, section_id=todo)
    alice.item("loose", notes="words", tags=["x"], due={"date": "2026-12-01"})
    done = alice.item("done", section_id=doing)["id"]
    alice.post(f"/items/{done}/complete")
    shown = _board(alice, "?cards=2")
    assert _shown(shown) == {None: ["loose"], "To do": ["a", "b"], "Doing": []}
    assert [(column["open_count"], column["done_count"]) for column in shown["columns"]] == [(1, 0), (3, 0), (0, 1)]
    assert [column["next_cursor"] is not None for column in shown["columns"]] == [False, True, False]
    card = shown["columns"][0]["cards"][0]
    assert (card["has_notes"], card["tags"], card["due"]["date"]) == (True, ["x"], "2026-12-01")
    assert "notes" not in card
    assert shown["next_cursor"] is None
    assert _shown(_board(alice, "?completed=true")) == {None: [], "To do": [], "Doing": ["done"]}


@pytest.mark.parametrize("completed", ["false", "true"])
def test_a_column_goes_on_where_its_cards_end(alice: Person, completed: str) -> None:
    sections: list[str | None] = [None, _section(alice, "a")]
    for number in range(10):
        item = alice.item(str(number), section_id=sections[number % 2])["id"]
        if completed == "true":
            alice.post(f"/items/{item}/complete")
    for column, section in zip(_board(alice, f"?cards=2&completed={completed}")["columns"], sections, strict=True):
        titles = [card["title"] for card in column["cards"]]
        path = f"/lists/{alice.inbox}/items?section_id={section or 'none'}&completed={completed}&limit=2"
        cursor = column["next_cursor"]
        for _ in range(5):
            if cursor is None:
                break
            page = alice.get(f"{path}&cursor={cursor}").json
            titles += [item["title"] for item in page["data"]]
            cursor = page["next_cursor"]
        expected = [str(number) for number in range(0 if section is None else 1, 10, 2)]
        assert titles == (expected if completed == "false" else expected[::-1])
        first = alice.get(f"{path}&include=total").json
        assert (first["total"], [item["section_id"] for item in first["data"]]) == (5, [section] * 2)


def test_a_cursor_of_one_column_fits_no_other(alice: Person) -> None:
    section = _section(alice)
    for _ in range(3):
        alice.item("x", section_id=section)
    cursor = _board(alice, "?cards=1")["columns"][1]["next_cursor"]
    problem(alice.get(f"/lists/{alice.inbox}/items?section_id=none&cursor={cursor}"), 400, "bad_cursor")
    problem(alice.get(f"/lists/{alice.inbox}/board?cursor={cursor}"), 400, "bad_cursor")
    assert pointers(alice.get(f"/lists/{alice.inbox}/items?section_id=x")) == ["?section_id"]
    assert pointers(alice.get(f"/lists/{alice.inbox}/board?cards=51")) == ["?cards"]
    problem(alice.get(f"/lists/{alice.inbox}/items?section_id=none&completed=any"), 422)


def test_an_unchanged_board_is_304(alice: Person, statements: Statistics) -> None:
    etag = alice.get(f"/lists/{alice.inbox}/board").headers["ETag"]
    before = statements.statements
    assert alice.get(f"/lists/{alice.inbox}/board", headers={"If-None-Match": etag}).status_code == 304
    assert statements.statements - before <= 2
    alice.item()
    assert alice.get(f"/lists/{alice.inbox}/board", headers={"If-None-Match": etag}).status_code == 200


def test_many_sections_come_in_pages_that_hold_each_once(alice: Person, database: Database) -> None:
    with database.transaction() as connection:
        parameters = {"workspace": alice.workspace, "list": alice.inbox, "sections": 230}
        connection.execute(_SORT, parameters)
    names, cursor = [], ""
    for turn in range(4):
        page = _board(alice, f"?cards=1{cursor}")
        columns = page["columns"][1:] if turn == 0 else page["columns"]
        assert len(columns) <= 100
        names += [column["section"]["name"] for column in columns]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert names == [f"Section {number}" for number in range(1, 231)]


def test_the_largest_cards_are_shown_in_boards_that_stay_small(alice: Person) -> None:
    sections = [_section(alice, "ä" * 200) for _ in range(4)]
    tags = ["é" * 60 + str(number) for number in range(50)]
    expected = []
    for number in range(24):
        title = f"{number} " + "😀" * 900
        alice.item(title, section_id=sections[number % 4], tags=tags)
        expected.append(title)
    seen, cursor = [], ""
    for _ in range(12):
        answer = alice.get(f"/lists/{alice.inbox}/board?cards=50{cursor}")
        assert len(answer.data) <= 100_000
        for column in answer.json["columns"]:
            seen += [card["title"] for card in column["cards"]]
            if column["next_cursor"]:
                path = f"/lists/{alice.inbox}/items?section_id={column['section']['id']}"
                seen += [item["title"] for item in alice.get(f"{path}&cursor={column['next_cursor']}").json["data"]]
        if answer.json["next_cursor"] is None:
            break
        cursor = f"&cursor={answer.json['next_cursor']}"
    assert sorted(seen) == sorted(expected)


@pytest.fixture(scope="module", params=SIZES)
def busy(
    request: pytest.FixtureRequest,
    settle: Callable[[str], Person],
    fill: Callable[[str, int], None],
    database_url: str,
) -> Person:
    """Somebody whose inbox holds this many items, a third of them done, in eight sections and in none."""
    person = settle(f"busy-{request.param}")
    fill(person.inbox, request.param)
    # Not with the application's connections, which wait for no statement as long as this takes.
    engine = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        parameters = {"workspace": person.workspace, "list": person.inbox, "sections": SECTIONS}
        sections = connection.execute(_SORT, parameters).scalar_one()
        connection.execute(_SPREAD, {"list": person.inbox, "sections": sections, "columns": SECTIONS + 1})
        connection.execute(text("VACUUM ANALYZE items, sections"))
    engine.dispose()
    return person


@pytest.mark.parametrize("completed", ["false", "true"])
def test_a_board_takes_three_statements_and_few_bytes(busy: Person, completed: str, statements: Statistics) -> None:
    answer = busy.get(f"/lists/{busy.inbox}/board?completed={completed}")
    assert answer.status_code == 200
    assert len(answer.json["columns"]) >= SECTIONS
    assert len(answer.data) <= 100_000
    assert 0 < statements.statements <= 3, statements.texts


@pytest.mark.parametrize("completed", ["false", "true"])
def test_a_board_reads_as_many_rows_as_it_shows(busy: Person, completed: str, database: Database) -> None:
    """A plan that sorts or filters a column would read all of it, eleven thousand rows of the large one."""
    with database.reading() as connection:
        plan = connection.execute(
            text(f"EXPLAIN (ANALYZE, FORMAT JSON) {board._STATEMENTS[completed, False].text}"),
            {"list": busy.inbox, "cards": 20, "limit": 21},
        ).scalar_one()
    assert 0 < _items_read(plan[0]["Plan"]) <= 2000, plan


def _items_read(node: dict[str, Any]) -> float:
    """How many rows of items the plan has read, kept or thrown away."""
    is_scan = node.get("Relation Name") == "items"
    own = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] if is_scan else 0
    return float(own + sum(_items_read(child) for child in node.get("Plans", [])))


_WRONG = """SELECT l.id FROM lists l LEFT JOIN LATERAL (
        SELECT count(*) FILTER (WHERE completed_at IS NULL) AS opened,
            count(*) FILTER (WHERE completed_at IS NOT NULL) AS done
        FROM items i WHERE i.list_id = l.id AND i.deleted_at IS NULL) c ON true
    WHERE l.workspace_id = :workspace AND (l.open_count, l.done_count) <> (c.opened, c.done)
    UNION ALL SELECT s.id FROM sections s LEFT JOIN LATERAL (
        SELECT count(*) FILTER (WHERE completed_at IS NULL) AS opened,
            count(*) FILTER (WHERE completed_at IS NOT NULL) AS done
        FROM items i WHERE i.section_id = s.id AND i.deleted_at IS NULL) c ON true
    WHERE s.workspace_id = :workspace AND (s.open_count, s.done_count) <> (c.opened, c.done)
    UNION ALL SELECT p.id FROM items p LEFT JOIN LATERAL (
        SELECT count(*) AS live FROM items i WHERE i.parent_id = p.id AND i.deleted_at IS NULL) c ON true
    WHERE p.workspace_id = :workspace AND p.deleted_at IS NULL AND p.subtask_count <> c.live
    UNION ALL SELECT c.id FROM items c JOIN items p ON p.id = c.parent_id
    WHERE c.workspace_id = :workspace AND c.deleted_at IS NULL AND (p.deleted_at IS NOT NULL
        OR (p.list_id, p.section_id) IS DISTINCT FROM (c.list_id, c.section_id)
        OR (p.completed_at IS NOT NULL AND c.completed_at IS NULL))"""


class _Writes:
    """Random writes of every kind, by the API and past it."""

    def __init__(self, who: Person, database: Database, services: Services, seed: int) -> None:
        self.who, self.database, self.services = who, database, services
        self.chance = random.Random(seed)
        self.lists = [who.inbox, who.new_list("b")]
        self.sections = [_section(who, str(number), self.lists[number % 2]) for number in range(4)]
        self.items = [who.item(str(number), self.lists[number % 2])["id"] for number in range(8)]

    def some(self, among: list[str]) -> str:
        return self.chance.choice(among)

    def maybe(self, among: list[str]) -> str | None:
        return self.chance.choice([*among, None])

    def create(self) -> None:
        fields = {"section_id": self.maybe(self.sections), "parent_id": self.maybe(self.items)}
        made = self.who.post(f"/lists/{self.some(self.lists)}/items", {"title": "x", **fields})
        if made.status_code == 201:
            self.items.append(made.json["id"])

    def place(self) -> None:
        name, among = self.chance.choice([("section_id", self.sections), ("parent_id", self.items)])
        self.who.patch(f"/items/{self.some(self.items)}", {name: self.maybe(among)})

    def move(self) -> None:
        where: dict[str, Any] = {"list_id": self.some(self.lists)}
        if self.chance.random() < 0.5:
            where["section_id"] = self.maybe(self.sections)
        self.who.post(f"/items/{self.some(self.items)}/move", where)

    def act_on_item(self) -> None:
        act = self.chance.choice(["complete", "reopen", "restore", "delete"])
        path = f"/items/{self.some(self.items)}"
        self.who.delete(path) if act == "delete" else self.who.post(f"{path}/{act}")

    def act_on_section(self) -> None:
        path = f"/sections/{self.some(self.sections)}"
        self.who.delete(path) if self.chance.random() < 0.3 else self.who.post(f"{path}/restore")

    def write_past_the_api(self) -> None:
        change = self.chance.choice(["completed_at = now()", "completed_at = NULL", "priority = 1"])
        with self.database.transaction() as connection:
            connection.execute(
                text(
                    f"""UPDATE items SET {change}
                    WHERE workspace_id = :workspace AND parent_id IS NULL AND subtask_count = 0"""
                ),
                {"workspace": self.who.workspace},
            )

    def purge(self) -> None:
        with self.database.transaction() as connection:
            for table in ("items", "sections"):
                connection.execute(
                    text(
                        f"""UPDATE {table} SET deleted_at = deleted_at - interval '31 days'
                        WHERE workspace_id = :workspace AND deleted_at IS NOT NULL"""
                    ),
                    {"workspace": self.who.workspace},
                )
        purging.purge(self.services, {})
        self.sections.append(_section(self.who, "new", self.some(self.lists)))
        self.create()


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_those_of_the_items_whatever_was_written(
    settle: Callable[[str], Person], database: Database, services: Services, seed: int
) -> None:
    who = settle("counted")
    writes = _Writes(who, database, services, seed)
    often = [writes.create, writes.place, writes.move, writes.act_on_item]
    acts = [*often * 4, writes.act_on_section, writes.act_on_section, writes.write_past_the_api]
    for turn in range(160):
        act = writes.purge if turn % 80 == 79 else writes.chance.choice(acts)
        act()
        with database.reading() as connection:
            wrong = connection.execute(text(_WRONG), {"workspace": who.workspace}).scalars().all()
        assert wrong == [], (turn, act)
    for list_id in writes.lists:
        for column in _board(who, "?cards=1", list_id)["columns"]:
            section = column["section"]["id"] if column["section"] else "none"
            for completed, name in (("false", "open_count"), ("true", "done_count")):
                path = f"/lists/{list_id}/items?section_id={section}&completed={completed}&include=total"
                assert who.get(path).json["total"] == column[name]
