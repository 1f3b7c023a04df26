"""The version before the newest expansion, from git, and its own tests on the schema of today."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from fastier.database import migrate

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = "migrations/versions"
# What reads and writes most tables, and is done in half a minute; test_order_everywhere starts a server of its own.
FAST_PART = ("tests/items", "tests/lists", "tests/accounts", "--ignore=tests/items/test_order_everywhere.py")
# On an idle machine it takes a third of this.
BUDGET_SECONDS = 240


class NoPreviousVersion(Exception):
    """There is nothing to compare with; the message says why."""


def git(root: Path, *arguments: str) -> bytes:
    """What git prints; NoPreviousVersion where there is no git or no repository."""
    try:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, timeout=60, check=True).stdout
    except FileNotFoundError as error:
        raise NoPreviousVersion("git is not installed") from error
    except subprocess.CalledProcessError as error:
        raise NoPreviousVersion(f"git says: {error.stderr.decode(errors='replace').strip()}") from error


def commit_before(root: Path, path: str) -> str:
    """The last commit without that file: HEAD, or the parent of the one that added it."""
    if git(root, "rev-parse", "--is-shallow-repository").strip() == b"true":
        raise NoPreviousVersion("the clone is shallow")
    if not git(root, "ls-tree", "--name-only", "HEAD", "--", path):
        return git(root, "rev-parse", "HEAD").decode().strip()
    options = ("-1", "--first-parent", "--no-renames", "--diff-filter=A", "--format=%P")
    parents = git(root, "log", *options, "--", path).decode().split()
    if not parents:
        raise NoPreviousVersion(f"{path} was there in the first commit")
    return parents[0]


def last_expansion() -> str:
    """The file, from the root, of the newest migration that every deployment runs; contractions wait behind it."""
    revision = [migration.revision for migration in migrate.migrations() if migration.phase == "expand"][-1]
    (path,) = (ROOT / VERSIONS).glob(f"{revision}_*.py")
    return str(path.relative_to(ROOT))


def check_out(commit: str, folder: Path) -> None:
    """Write the commit's files into the folder, as `git archive` gives them."""
    folder.mkdir(parents=True, exist_ok=True)
    # Python's own filters of what an archive may do came with 3.11.4, which Debian 12 has not.
    archive = git(ROOT, "archive", "--format=tar", commit)
    subprocess.run(["tar", "--extract", "--directory", folder], input=archive, timeout=60, check=True)


def graft(checkout: Path, migrations: list[Path]) -> None:
    """Let the old code's tests make databases of these migrations, which is the schema that it would meet."""
    shutil.rmtree(checkout / VERSIONS)
    (checkout / VERSIONS).mkdir()
    for path in migrations:
        shutil.copy(path, checkout / VERSIONS)


def run(checkout: Path, database_url: str, *command: str, timeout: float = 60) -> "subprocess.CompletedProcess[str]":
    """Run a Python command of the old version, with today's libraries."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(checkout), "DATABASE_URL": database_url}
    return subprocess.run(
        [sys.executable, *command], cwd=checkout, env=environment, capture_output=True, text=True, timeout=timeout
    )


def run_tests(checkout: Path, database_url: str, *selection: str) -> "subprocess.CompletedProcess[str]":
    """Run some of the old version's tests, on the server of that database."""
    options = ("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider")
    return run(checkout, database_url, *options, *selection, timeout=BUDGET_SECONDS)
