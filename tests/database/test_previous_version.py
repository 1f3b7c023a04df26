"""The previous version works on the schema that this one expands it to: its own tests say so."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from fastier.database import migrate
from tests.database import previous
from tests.postgres import new_database

BREAKING = '''"""Drop what the previous version reads, and claim that this is an expansion."""

from alembic import op

revision = "9999"
down_revision = "{head}"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE items DROP COLUMN notes")
'''


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The previous version's files."""
    try:
        commit = previous.commit_before(previous.ROOT, previous.last_expansion())
    except previous.NoPreviousVersion as reason:
        pytest.skip(f"There is no previous version to test: {reason}.")
    folder = tmp_path / "previous"
    previous.check_out(commit, folder)
    return folder


@pytest.fixture
def expansions() -> list[Path]:
    """The files of all migrations up to the last that a deployment runs."""
    files = sorted((previous.ROOT / previous.VERSIONS).glob("*.py"))
    return files[: files.index(previous.ROOT / previous.last_expansion()) + 1]


def test_the_previous_version_takes_a_database_of_this_one_as_it_is(database_url: str, checkout: Path) -> None:
    with new_database(database_url) as url:
        head = migrate.upgrade(url).current
        for action in ("upgrade", "check"):
            done = previous.run(checkout, url, "-m", "fastier", "database", action, "--json")
            assert done.returncode == 0, done.stderr
            told = json.loads(done.stdout)
            assert (told["current"], told["usable"]) == (head, True)


@pytest.mark.slow
def test_the_previous_versions_own_tests_pass_on_this_schema(
    database_url: str, checkout: Path, expansions: list[Path]
) -> None:
    previous.graft(checkout, expansions)
    done = previous.run_tests(checkout, database_url, *previous.FAST_PART)
    assert done.returncode == 0, done.stdout[-5000:]


def test_an_expansion_that_breaks_the_previous_version_is_found(
    database_url: str, checkout: Path, expansions: list[Path], tmp_path: Path
) -> None:
    planted = tmp_path / "9999_planted.py"
    planted.write_text(BREAKING.format(head=expansions[-1].name.split("_")[0]))
    previous.graft(checkout, [*expansions, planted])
    done = previous.run_tests(checkout, database_url, "tests/items/test_items.py")
    assert done.returncode == 1
    assert "UndefinedColumn" in done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A made-up repository: a first commit, one that adds a migration, and one after it."""
    root = tmp_path / "made-up"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    for path in ("README.md", "migrations/versions/0001_a.py", "later.txt"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
        git(root, "add", path)
        git(root, "commit", "-q", "-m", path)
    return root


def git(root: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Anna", "-c", "user.email=anna@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *who, *arguments], cwd=root, capture_output=True, text=True, timeout=30, check=True)
    return done.stdout.strip()


def test_the_previous_version_is_the_one_before_the_migration_came(repository: Path) -> None:
    found = previous.commit_before(repository, "migrations/versions/0001_a.py")
    assert found == git(repository, "rev-parse", "HEAD~2")


def test_for_a_migration_that_is_not_committed_it_is_the_last_commit(repository: Path) -> None:
    assert previous.commit_before(repository, "migrations/versions/0002_b.py") == git(repository, "rev-parse", "HEAD")


def test_a_migration_of_the_first_commit_has_nothing_before_it(repository: Path) -> None:
    with pytest.raises(previous.NoPreviousVersion, match="first commit"):
        previous.commit_before(repository, "README.md")


def test_a_shallow_clone_says_why_it_cannot_tell(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", "shallow")
    with pytest.raises(previous.NoPreviousVersion, match="shallow"):
        previous.commit_before(tmp_path / "shallow", "later.txt")


def test_a_folder_without_a_repository_says_why_it_cannot_tell(repository: Path) -> None:
    shutil.rmtree(repository / ".git")
    with pytest.raises(previous.NoPreviousVersion, match="git says"):
        previous.commit_before(repository, "later.txt")
