"""Brings a database to this code's schema, once, whoever else tries at the same time.

A migration is of one of two phases. One that expands suits the code of the previous version, which serves meanwhile;
one that contracts takes away what only that code needs, and so runs when a person says that the code is gone.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import StringIO
from itertools import takewhile
from pathlib import Path
from types import ModuleType
from typing import Literal, NamedTuple, TextIO, cast

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
# A migration that cannot get its table lock at once makes every request queue behind it: it gives up before they
# notice, and tries again.
TABLE_LOCK_TIMEOUT = "500ms"
STATEMENT_TIMEOUT = "300s"
TRIES = 10
LOCK_NOT_AVAILABLE = "55P03"

Phase = Literal["expand", "contract"]


class MigrationError(Exception):
    """The database could not be brought to this code's schema; the message says what to do."""


class Migration(NamedTuple):
    """One step of the schema."""

    revision: str
    phase: Phase


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Where a database stands, and what it lacks, in order; `known` is False when a newer release has migrated it."""

    current: str | None
    head: str
    known: bool
    pending: tuple[Migration, ...] = ()

    @property
    def expands(self) -> tuple[str, ...]:
        return tuple(revision for revision, phase in self.pending if phase == "expand")

    @property
    def contracts(self) -> tuple[str, ...]:
        return tuple(revision for revision, phase in self.pending if phase == "contract")

    @property
    def is_usable(self) -> bool:
        """Whether this code can run on it: nothing is missing but contractions, or it is ahead."""
        return self.current is not None and not self.expands


def _config(output: TextIO | None = None) -> Config:
    config = Config(output_buffer=output)
    config.set_main_option("script_location", str(MIGRATIONS))
    # Alembic splits this path by a separator of its own unless told which; the folder is one.
    config.set_main_option("path_separator", "os")
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


@cache
def migrations() -> tuple[Migration, ...]:
    """All that this code knows, in order; they are files, read once in a process."""
    scripts = reversed(list(_scripts().walk_revisions()))
    return tuple(Migration(script.revision, _phase(script.revision, script.module)) for script in scripts)


def _phase(revision: str, module: ModuleType) -> Phase:
    phase = getattr(module, "phase", None)
    if phase not in ("expand", "contract"):
        raise MigrationError(f"Migration {revision} must declare phase = 'expand' or 'contract'.")
    return cast(Phase, phase)


def state(connection: Connection) -> SchemaState:
    """Where the database stands, by two small statements."""
    current = (
        connection.execute(text("SELECT to_regclass('alembic_version') IS NOT NULL AS is_there")).scalar_one()
        and connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    ) or None
    names = [migration.revision for migration in migrations()]
    if current is None:
        return SchemaState(None, names[-1], known=False, pending=migrations())
    if current not in names:
        return SchemaState(current, names[-1], known=False)
    return SchemaState(current, names[-1], known=True, pending=migrations()[names.index(current) + 1 :])


def session_name(process: str, commit: str) -> str:
    """What a process is called in pg_stat_activity: by its version too, so that a contraction knows who is there."""
    return f"{process} {commit[:7]}"


def upgrade(database_url: str, *, revision: str | None = None) -> SchemaState:
    """Expand as far as no contraction is in the way, or migrate up to `revision`, whatever the phases.

    A database ahead of this code is left as it is, and that is success.
    """
    with _locked_connection(database_url) as connection:
        before = state(connection)
        target = revision or _expanded(before)
        if target and before.pending:
            _run(connection, lambda config: command.upgrade(config, target))
        return state(connection)


def _expanded(before: SchemaState) -> str | None:
    """The last revision before the first contraction; MigrationError where this code needs one behind it."""
    # No older version can be at work on a database without any table.
    if before.current is None:
        return before.head
    reached = list(takewhile(lambda migration: migration.phase == "expand", before.pending))
    if len(reached) < len(before.expands):
        raise MigrationError(
            f"This code needs migration {before.expands[len(reached)]}, and contraction {before.contracts[0]} comes "
            "before it. Let the version that is deployed contract the database first: "
            "python -m fastier database contract"
        )
    return reached[-1].revision if reached else None


def contract(database_url: str, commit: str, *, patience: float | None) -> SchemaState:
    """Run every pending migration, contractions too, once no session of another version than `commit` is connected.

    Waits at most `patience` seconds for that, and MigrationError names those that stay; None asks nobody.
    """
    with _locked_connection(database_url) as connection:
        before = state(connection)
        if before.contracts and patience is not None:
            _wait_until_alone(connection, commit, patience)
        if before.pending:
            _run(connection, lambda config: command.upgrade(config, "head"))
        return state(connection)


_OTHERS = text(
    """SELECT application_name, count(*) AS sessions FROM pg_stat_activity
    WHERE datname = current_database() AND application_name ~ '^fastier-(web|jobs)( |$)'
        AND application_name <> ALL (:own)
    GROUP BY application_name ORDER BY application_name"""
)


def _wait_until_alone(connection: Connection, commit: str, patience: float) -> None:
    own = [session_name(process, commit) for process in ("fastier-web", "fastier-jobs")]
    deadline = time.monotonic() + patience
    while True:
        others = connection.execute(_OTHERS, {"own": own}).all()
        connection.rollback()
        if not others:
            return
        if time.monotonic() > deadline:
            names = ", ".join(f"{name} ({sessions})" for name, sessions in others)
            raise MigrationError(
                f"Other versions than {commit[:7]} are still connected: {names}. Nothing was changed. When they are "
                "gone, run it again from the version that stays; --force runs it at once."
            )
        time.sleep(0.2)


def downgrade(database_url: str, revision: str) -> None:
    """Go back to `revision`; for development and the tests, which hold each migration to be reversible."""
    with _locked_connection(database_url) as connection:
        _run(connection, lambda config: command.downgrade(config, revision))


def script(phase: Phase) -> str:
    """The SQL of all migrations of one phase, for people and linters to read."""
    output = StringIO()
    before = "base"
    for migration in migrations():
        if migration.phase == phase:
            command.upgrade(_config(output), f"{before}:{migration.revision}", sql=True)
        before = migration.revision
    return output.getvalue()


def _run(connection: Connection, act: Callable[[Config], None]) -> None:
    config = _config()
    config.attributes["connection"] = connection
    for attempt in range(1, TRIES + 1):
        # Alembic opens a transaction for each migration, and can end it where one builds an index beside writers.
        connection.rollback()
        try:
            _drop_broken_indexes(connection)
            act(config)
        except OperationalError as error:
            connection.rollback()
            if getattr(error.orig, "pgcode", None) != LOCK_NOT_AVAILABLE or attempt == TRIES:
                raise
            time.sleep(min(attempt, 5))
        else:
            connection.commit()
            return


_BROKEN_INDEXES = text(
    """SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE NOT indisvalid AND relkind = 'i' AND relnamespace = current_schema::regnamespace
        AND indexrelid NOT IN (SELECT index_relid FROM pg_stat_progress_create_index)"""
)


def _drop_broken_indexes(connection: Connection) -> None:
    """Drop what an index built beside writers leaves when it breaks off: IF NOT EXISTS would take it for done."""
    for name in connection.execute(_BROKEN_INDEXES).scalars().all():
        connection.execute(text(f"DROP INDEX {name}"))
    connection.commit()


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
