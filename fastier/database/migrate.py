"""Brings a database to this code's schema, once, whoever else tries at the same time."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from typing import TextIO

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
# The name of the lock that every migrating process asks for; any fixed number will do.
ADVISORY_LOCK = 7_263_945_182
# How long one instance waits for another that is migrating; an instance command ends after 600 s.
LOCK_PATIENCE_SECONDS = 300
# A migration that cannot get its table lock at once would make every request queue behind it: it gives up and
# tries again instead.
TABLE_LOCK_TIMEOUT = "1s"
STATEMENT_TIMEOUT = "300s"
TRIES = 10


class MigrationError(Exception):
    """The database could not be brought to this code's schema; the message says what to do."""


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Where a database stands; `known` is False when a newer release has migrated it already."""

    current: str | None
    head: str
    known: bool

    @property
    def is_usable(self) -> bool:
        """Whether this code can run on it: at its head, or ahead of it."""
        return self.current == self.head or (self.current is not None and not self.known)


def _config(output: TextIO | None = None) -> Config:
    config = Config(output_buffer=output)
    config.set_main_option("script_location", str(MIGRATIONS))
    # Alembic splits this path by a separator of its own unless told which; the folder is one.
    config.set_main_option("path_separator", "os")
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


@cache
def _revisions() -> tuple[str, frozenset[str]]:
    """This code's head and all revisions it knows; they are files, read once in a process."""
    scripts = _scripts()
    head = scripts.get_current_head()
    assert head is not None, "there is at least one migration"
    return head, frozenset(script.revision for script in scripts.walk_revisions())


def state(connection: Connection) -> SchemaState:
    """Where the database stands, by two small statements."""
    current = (
        connection.execute(text("SELECT to_regclass('alembic_version') IS NOT NULL AS is_there")).scalar_one()
        and connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    )
    head, known = _revisions()
    return SchemaState(current or None, head, current in known)


def upgrade(database_url: str, *, revision: str = "head") -> SchemaState:
    """Migrate up to `revision`; a database ahead of this code is left as it is, and that is success."""
    with _locked_connection(database_url) as connection:
        before = state(connection)
        if before.current is None or before.known:
            _run(connection, lambda config: command.upgrade(config, revision))
        return state(connection)


def downgrade(database_url: str, revision: str) -> None:
    """Go back to `revision`; for development and the tests, which hold each migration to be reversible."""
    with _locked_connection(database_url) as connection:
        _run(connection, lambda config: command.downgrade(config, revision))


def script() -> str:
    """The SQL of all migrations, for people and linters to read."""
    output = StringIO()
    command.upgrade(_config(output), "head", sql=True)
    return output.getvalue()


def _run(connection: Connection, act: Callable[[Config], None]) -> None:
    config = _config()
    config.attributes["connection"] = connection
    for attempt in range(1, TRIES + 1):
        # Alembic opens a transaction for each migration, and can end it where one builds an index beside writers.
        connection.rollback()
        try:
            act(config)
        except OperationalError as error:
            connection.rollback()
            if getattr(error.orig, "pgcode", None) != "55P03" or attempt == TRIES:
                raise
            time.sleep(min(attempt, 5))
        else:
            connection.commit()
            return


@contextmanager
def _locked_connection(database_url: str) -> Iterator[Connection]:
    engine = create_engine(
        database_url,
        hide_parameters=True,
        connect_args={
            "connect_timeout": 5,
            "application_name": "fastier-migrate",
            "options": f"-c lock_timeout={TABLE_LOCK_TIMEOUT} -c statement_timeout={STATEMENT_TIMEOUT} -c timezone=UTC",
        },
    )
    try:
        with engine.connect() as connection:
            _wait_for_lock(connection)
            yield connection
            connection.rollback()
            # Closing the connection frees the lock too; this frees it before the pool is gone.
            connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": ADVISORY_LOCK})
            connection.commit()
    finally:
        engine.dispose()


def _wait_for_lock(connection: Connection) -> None:
    deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
    while True:
        got = connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": ADVISORY_LOCK}).scalar_one()
        connection.commit()
        if got:
            return
        if time.monotonic() > deadline:
            raise MigrationError(
                f"Another migration has held the lock for {LOCK_PATIENCE_SECONDS} s; see which with "
                "SELECT * FROM pg_stat_activity WHERE application_name = 'fastier-migrate'."
            )
        time.sleep(0.2)
