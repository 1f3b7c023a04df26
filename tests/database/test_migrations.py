"""Migrations: up, down and up again; the models and the schema agree; a newer database is left alone."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text

from fastier.app import METADATA
from fastier.database import migrate


@pytest.fixture
def empty_url(make_database: Callable[[], str]) -> str:
    """A database without any table."""
    return make_database()


@pytest.fixture
def connection(empty_url: str) -> Iterator[Connection]:
    engine = create_engine(empty_url)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def _objects(connection: Connection) -> list[str]:
    rows = connection.execute(
        text(
            """SELECT c.relkind::text || ' ' || c.relname || coalesce(' ' || pg_get_indexdef(i.indexrelid), '')
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_index i ON i.indexrelid = c.oid
            WHERE n.nspname = 'public' AND c.relname NOT LIKE 'alembic%' ORDER BY 1"""
        )
    )
    found = list(rows.scalars())
    connection.rollback()
    return found


def test_every_migration_goes_up_down_and_up_again(empty_url: str, connection: Connection) -> None:
    for revision in reversed([script.revision for script in migrate._scripts().walk_revisions()]):
        before = _objects(connection)
        migrate.upgrade(empty_url, revision=revision)
        after = _objects(connection)
        assert after != before
        migrate.downgrade(empty_url, "-1")
        assert _objects(connection) == before
        migrate.upgrade(empty_url, revision=revision)
        assert _objects(connection) == after


def test_the_schema_is_what_the_models_say(empty_url: str, connection: Connection) -> None:
    migrate.upgrade(empty_url)
    differences = compare_metadata(MigrationContext.configure(connection), METADATA)
    assert differences == []


def test_upgrading_again_changes_nothing(empty_url: str, connection: Connection) -> None:
    first = migrate.upgrade(empty_url)
    before = _objects(connection)
    assert migrate.upgrade(empty_url) == first
    assert _objects(connection) == before


def test_a_database_ahead_of_this_code_is_left_as_it_is(empty_url: str, connection: Connection) -> None:
    migrate.upgrade(empty_url)
    connection.execute(text("UPDATE alembic_version SET version_num = 'of a newer release'"))
    connection.commit()
    state = migrate.upgrade(empty_url)
    assert (state.current, state.is_usable) == ("of a newer release", True)


def test_an_empty_database_cannot_be_run_on(connection: Connection) -> None:
    assert not migrate.state(connection).is_usable


def test_two_at_once_migrate_once(empty_url: str, connection: Connection) -> None:
    with ThreadPoolExecutor(4) as pool:
        states = list(pool.map(lambda _: migrate.upgrade(empty_url), range(4)))
    assert len(set(states)) == 1
    assert states[0].is_usable
