"""Words: the application and the database split a text alike, and what the triggers keep is true."""

import random
import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from fastier.database import Database, migrate
from fastier.search.words import distance, fold, typos, words_of
from tests.api import Person

_TEXTS = st.one_of(
    st.text(max_size=60),
    st.text(alphabet=string.printable, max_size=60),
    st.text(alphabet="aÄöß éЖжΣςİıŁ會議のがｆﬁ½Å\u0301-_'\u2019", max_size=40),
)


@given(value=_TEXTS.filter(lambda value: "\x00" not in value and value.isprintable()))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_database_splits_a_text_as_the_application_does(database: Database, value: str) -> None:
    with database.reading() as connection:
        folded, words = connection.execute(
            text("SELECT search_fold(:value), search_words_of(:value)"), {"value": value}
        ).one()
    assert fold(value) == folded
    assert sorted(words_of(value)) == sorted(words)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("Buy MILK, bread & 2 eggs", ["buy", "milk", "bread", "2", "eggs"]),
        ("Ärger im Café", ["arger", "im", "cafe"]),
        ("Don't e-mail bob@example.com", ["don", "t", "e", "mail", "bob", "example", "com"]),
        ("Привет Ёж", ["привет", "еж"]),
        ("会議の準備", ["会", "議", "の", "準", "備"]),
        ("🛒 🛒", []),
        ("x" * 50, ["x" * 40]),
    ],
)
def test_words_are_without_case_accents_and_punctuation(value: str, words: list[str]) -> None:
    assert words_of(value) == words


@pytest.mark.parametrize(
    ("written", "meant", "mistakes"),
    [
        ("invioce", "invoice", 1),
        ("mlik", "milk", 1),
        ("mil", "milk", 1),
        ("acomodation", "accommodation", 2),
        ("a", "a", 0),
    ],
)
def test_mistakes_are_counted(written: str, meant: str, mistakes: int) -> None:
    assert distance(written, meant) == distance(meant, written) == mistakes


def test_every_single_mistake_is_guessed() -> None:
    assert {"invoice", "invoce", "invioces", "inviocer"} <= set(typos("invioce"))
    assert all(distance(meant, "invioce") == 1 for meant in typos("invioce"))
    assert typos("abc") == []


def _kept(database: Database, workspace: str) -> tuple[dict[str, int], dict[str, list[str]]]:
    """What the triggers keep: how often each word is used, and each item's words."""
    with database.reading() as connection:
        uses = connection.execute(
            text("SELECT word, uses FROM search_words WHERE workspace_id = :id"), {"id": workspace}
        )
        counted = {row.word: row.uses for row in uses}
        entries = connection.execute(
            text(
                """SELECT CAST(i.id AS text) AS id, array_agg(w.word || '/' || k % 2) AS words FROM items i
                JOIN search_entries e ON e.item_id = i.id CROSS JOIN unnest(e.keys) k
                JOIN search_words w ON w.id = k / 2 AND w.workspace_id = i.workspace_id
                WHERE i.workspace_id = :id GROUP BY i.id"""
            ),
            {"id": workspace},
        )
        return counted, {row.id: sorted(row.words) for row in entries}


def _expected(items: dict[str, Any]) -> tuple[dict[str, int], dict[str, list[str]]]:
    entries = {
        id: sorted([f"{word}/0" for word in words_of(title)] + [f"{word}/1" for word in words_of(notes)])
        for id, (title, notes) in items.items()
    }
    uses: dict[str, int] = {}
    for words in entries.values():
        for word in words:
            uses[word[:-2]] = uses.get(word[:-2], 0) + 1
    return uses, {id: words for id, words in entries.items() if words}


@pytest.mark.parametrize("seed", range(3))
def test_the_kept_words_are_those_of_the_items(alice: Person, database: Database, seed: int) -> None:
    r = random.Random(seed)
    words = ["milk", "Milk", "bread", "ÄPFEL", "42", "…"]
    items: dict[str, tuple[str, str]] = {}
    for _ in range(25):
        title, notes = " ".join(r.choices(words, k=r.randint(1, 3))), " ".join(r.choices(words, k=r.randint(0, 3)))
        if not items or r.random() < 0.5:
            items[alice.item(title, notes=notes)["id"]] = (title, notes)
            continue
        id = r.choice(list(items))
        if r.random() < 0.6:
            assert alice.patch(f"/items/{id}", {"title": title, "notes": notes}).status_code == 200
            items[id] = (title, notes)
        else:
            with database.transaction() as connection:
                connection.execute(text("DELETE FROM items WHERE id = :id"), {"id": id})
            del items[id]
    assert _kept(database, alice.workspace) == _expected(items)


def test_items_from_before_the_migration_are_found_by_their_words(make_database: Callable[[], str]) -> None:
    url = make_database()
    migrate.upgrade(url, revision="0003")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text(
                """WITH w AS (INSERT INTO workspaces (id, name) SELECT gen_random_uuid(), 'x' FROM generate_series(1, 3)
                    RETURNING id),
                l AS (INSERT INTO lists (id, workspace_id, name, position, revision)
                    SELECT gen_random_uuid(), id, 'x', 'n', 1 FROM w RETURNING id, workspace_id)
                INSERT INTO items (id, workspace_id, list_id, title, position, revision)
                SELECT gen_random_uuid(), workspace_id, id, 'Milk ' || n, 'n', 1 FROM l, generate_series(1, 1500) n"""
            )
        )
    migrate.upgrade(url)
    with engine.connect() as connection:
        uses = connection.execute(text("SELECT uses FROM search_words WHERE word = 'milk'")).scalars().all()
        entries = connection.execute(text("SELECT count(*), min(cardinality(keys)) FROM search_entries")).one()
    engine.dispose()
    assert list(uses) == [1500, 1500, 1500]
    assert tuple(entries) == (4500, 2)
