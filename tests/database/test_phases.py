"""Expand and contract: what a deployment runs, what waits for a person, and what neither does to those who write."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from sqlalchemy.engine import make_url

from fastier.database import migrate
from tests.database.releases import Release
from tests.postgres import new_database

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "0123456789abcdef"
HEAD = migrate.migrations()[-1].revision
# What a contraction is for.
DROPS = ["ban-drop-column", "ban-drop-table"]


@pytest.fixture
def url(database_url: str) -> Iterator[str]:
    """A database of its own, at the head of the real migrations."""
    with new_database(database_url) as made:
        migrate.upgrade(made)
        yield made


@pytest.fixture
def release(tmp_path: Path) -> Release:
    """A release that adds a column and takes one away that only older versions need."""
    made = Release(tmp_path / "release", COMMIT)
    made.plant("9001", "expand", "ALTER TABLE jobs ADD COLUMN note text")
    made.plant("9002", "contract", "ALTER TABLE jobs DROP COLUMN holder")
    return made


def connect(url: str, name: str = "fastier-tests") -> Any:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = psycopg2.connect(plain, application_name=name)
    connection.autocommit = True
    return connection


def ask(url: str, statement: str) -> list[Any]:
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return [row[0] for row in cursor.fetchall()]


def columns(url: str) -> list[str]:
    return ask(url, "SELECT column_name FROM information_schema.columns WHERE table_name = 'jobs'")


def test_a_deployment_expands_and_says_what_waits(url: str, release: Release) -> None:
    assert release.check(url) == {
        "current": HEAD,
        "head": "9002",
        "usable": False,
        "expands": ["9001"],
        "contracts": ["9002"],
    }
    done = release.run(url, "upgrade")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["The database is at 9001.", "Waiting until no older version runs: 9002."]
    assert {"note", "holder"} <= set(columns(url))
    assert release.check(url) == {
        "current": "9001",
        "head": "9002",
        "usable": True,
        "expands": [],
        "contracts": ["9002"],
    }
    assert release.run(url, "upgrade").stdout == done.stdout


def test_a_database_without_tables_gets_all_at_once(database_url: str, release: Release) -> None:
    with new_database(database_url) as empty:
        assert release.run(empty, "upgrade").stdout == "The database is at 9002.\n"


def test_an_expansion_behind_a_waiting_contraction_stops_the_deployment(url: str, release: Release) -> None:
    release.plant("9003", "expand", "ALTER TABLE jobs ADD COLUMN late text")
    done = release.run(url, "upgrade")
    assert done.returncode == 1
    assert "needs migration 9003, and contraction 9002 comes before it" in done.stderr
    assert release.check(url)["current"] == HEAD
    assert release.check(url)["usable"] is False


def test_a_migration_of_no_phase_is_refused(url: str, release: Release) -> None:
    release.plant("9003", None)
    done = release.run(url, "upgrade")
    assert done.returncode == 1
    assert done.stderr == "Migration 9003 must declare phase = 'expand' or 'contract'.\n"


@pytest.mark.parametrize("other", ["fastier-web aaaaaaa", "fastier-jobs aaaaaaa", "fastier-web"])
def test_nothing_is_taken_away_while_another_version_is_connected(url: str, release: Release, other: str) -> None:
    with closing(connect(url, other)):
        done = release.run(url, "contract", "--wait=0")
        assert done.returncode == 1
        assert f"still connected: {other} (1)" in done.stderr
        assert release.check(url)["current"] == HEAD
        assert release.run(url, "contract", "--force").stdout == "The database is at 9002.\n"
    assert "holder" not in columns(url)


def test_a_contraction_minds_neither_its_own_version_nor_other_databases(
    url: str, database_url: str, release: Release
) -> None:
    own = migrate.session_name("fastier-web", COMMIT)
    with closing(connect(url, own)), closing(connect(database_url, "fastier-web aaaaaaa")):
        assert release.run(url, "contract", "--wait=0").stdout == "The database is at 9002.\n"


def test_a_contraction_waits_for_the_last_session_to_end(url: str, release: Release) -> None:
    other = connect(url, "fastier-web aaaaaaa")
    with release.start(url, "contract", "--wait=60") as process:
        wait_until(lambda: bool(ask(url, "SELECT 1 FROM pg_stat_activity WHERE application_name = 'fastier-migrate'")))
        other.close()
        output, errors = process.communicate(timeout=60)
    assert (output, errors) == ("The database is at 9002.\n", "")


def wait_until(condition: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_version_that_was_contracted_away_leaves_the_database_as_it_is(url: str, release: Release) -> None:
    assert release.run(url, "contract", "--wait=0").returncode == 0
    state = migrate.upgrade(url)
    assert (state.current, state.is_usable, state.pending) == ("9002", True, ())
    assert migrate.contract(url, "older", patience=0) == state


@contextmanager
def writing(url: str) -> Iterator[list[float]]:
    """Insert one row after the other; yields how long each took, in seconds."""
    over, took = threading.Event(), list[float]()

    def write() -> None:
        with closing(connect(url)) as connection, connection.cursor() as cursor:
            while not over.is_set():
                began = time.monotonic()
                cursor.execute("INSERT INTO jobs (kind, payload) VALUES ('of the tests', '{}')")
                took.append(time.monotonic() - began)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait_until(lambda: len(took) > 10)
        yield took
    finally:
        over.set()
        writer.join(30)


def test_writers_do_not_notice_an_expansion_even_behind_a_long_transaction(url: str, tmp_path: Path) -> None:
    release = Release(tmp_path / "release", COMMIT)
    index = "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_jobs_note ON jobs (note)"
    release.plant("9001", "expand", "ALTER TABLE jobs ADD COLUMN note text", concurrent=(index,))
    with writing(url) as took, closing(connect(url)) as reader, reader.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT count(*) FROM jobs")
        with release.start(url, "upgrade") as process:
            waiting = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE jobs%' AND wait_event_type = 'Lock'"
            wait_until(lambda: bool(ask(url, waiting)))
            cursor.execute("COMMIT")
            output, errors = process.communicate(timeout=60)
    assert (output, errors) == ("The database is at 9001.\n", "")
    assert max(took) < 1


def test_an_index_that_broke_off_is_built_again(url: str, tmp_path: Path) -> None:
    release = Release(tmp_path / "release", COMMIT)
    index = "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_jobs_kind ON jobs (kind)"
    release.plant("9001", "expand", concurrent=(index,))
    broken = (
        "SELECT 1 FROM pg_class JOIN pg_index ON indexrelid = oid WHERE relname = 'ix_jobs_kind' AND NOT indisvalid"
    )
    with closing(connect(url)) as writer, writer.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO jobs (kind, payload) VALUES ('of the tests', '{}')")
        with release.start(url, "upgrade") as process:
            wait_until(lambda: bool(ask(url, broken)))
            # The build has given up waiting for this transaction, and left what is no index.
            wait_until(lambda: not ask(url, "SELECT 1 FROM pg_stat_progress_create_index"))
            cursor.execute("COMMIT")
            output, errors = process.communicate(timeout=60)
    assert (output, errors) == ("The database is at 9001.\n", "")
    assert ask(
        url, "SELECT indisvalid FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relname = 'ix_jobs_kind'"
    ) == [True]


def lint(sql: str, folder: Path, phase: str) -> "subprocess.CompletedProcess[str]":
    """Run squawk by our rules; a contraction may drop."""
    rules = (ROOT / ".squawk.toml").read_text()
    if phase == "contract":
        rules = rules.replace("excluded_rules = [", f"excluded_rules = [{', '.join(map(repr, DROPS))},")
    (folder / "squawk.toml").write_text(rules)
    (folder / "migrations.sql").write_text(sql)
    squawk = Path(sys.executable).with_name("squawk")
    command = [squawk, "--config", folder / "squawk.toml", "--reporter=gcc", folder / "migrations.sql"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_linter_finds_nothing_dangerous(tmp_path: Path) -> None:
    assert "CREATE TABLE items" in migrate.script("expand")
    for phase in ("expand", "contract"):
        linted = lint(migrate.script(phase), tmp_path, phase)
        assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize(
    ("statement", "may_expand", "may_contract"),
    [
        ("ALTER TABLE items DROP COLUMN notes;", False, True),
        ("DROP TABLE items;", False, True),
        ("ALTER TABLE items RENAME COLUMN notes TO text;", False, False),
        ("ALTER TABLE items ADD COLUMN more text NOT NULL;", False, False),
        ("CREATE INDEX ix_items_title ON items (title);", False, False),
        ("ALTER TABLE items ADD COLUMN more text;", True, True),
    ],
)
def test_the_linter_lets_only_contractions_drop(
    tmp_path: Path, statement: str, may_expand: bool, may_contract: bool
) -> None:
    found = tuple(lint(statement, tmp_path, phase).returncode == 0 for phase in ("expand", "contract"))
    assert found == (may_expand, may_contract)


def faults(declared: list[tuple[str, object, object]]) -> list[str]:
    """What breaks the rule of docs/migrations.md, of each revision's `phase` and `applied`, in order."""
    found, unapplied = [], None
    for revision, phase, applied in declared:
        if phase not in ("expand", "contract"):
            found.append(f"{revision} declares no phase")
        elif phase == "contract" and not applied:
            unapplied = revision
        elif phase == "expand" and unapplied:
            found.append(f"{revision} waits behind {unapplied}, which does not say that it was applied")
    return found


def test_every_migration_keeps_to_the_rule_of_phases() -> None:
    scripts = reversed(list(migrate._scripts().walk_revisions()))
    declared = [
        (script.revision, getattr(script.module, "phase", None), getattr(script.module, "applied", None))
        for script in scripts
    ]
    assert len(declared) >= 2
    assert faults(declared) == []


def test_the_rule_of_phases_finds_what_breaks_it() -> None:
    good: list[tuple[str, object, object]] = [("1", "expand", None), ("2", "contract", None)]
    assert faults(good) == []
    assert faults([*good, ("3", "expand", None)]) == ["3 waits behind 2, which does not say that it was applied"]
    assert faults([good[0], ("2", "contract", "2026-12-01"), ("3", "expand", None)]) == []
    assert faults([*good, ("3", None, None)]) == ["3 declares no phase"]


def test_migrations_stand_by_themselves() -> None:
    # The application goes on, and what a migration does must not change with it.
    for path in (ROOT / "migrations/versions").glob("*.py"):
        assert not re.search(r"^\s*(from|import) fastier", path.read_text(), re.MULTILINE), path.name
