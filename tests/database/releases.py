"""Releases of this application with migrations of their own, each in a folder and run as a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from fastier.database import migrate

ROOT = Path(__file__).resolve().parents[2]
MIGRATION = '''"""Made up."""

from alembic import op

revision = "{revision}"
down_revision = "{before}"
{phase}


def upgrade() -> None:
    for statement in {statements!r}:
        op.execute(statement)
    with op.get_context().autocommit_block():
        for statement in {concurrent!r}:
            op.execute(statement)
'''


class Release:
    """The code as it is, of a made-up commit, whose migrations go on from the real ones."""

    def __init__(self, folder: Path, commit: str) -> None:
        self.folder = folder
        self.last = migrate.migrations()[-1].revision
        for name in ("fastier", "migrations"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "fastier/build.json").write_text(json.dumps({"version": "1.2.3", "commit": commit}))

    def plant(self, revision: str, phase: str | None, *statements: str, concurrent: tuple[str, ...] = ()) -> None:
        """Add a migration behind the last one; `concurrent` are the statements that run outside a transaction."""
        declared = f'phase = "{phase}"' if phase else ""
        source = MIGRATION.format(
            revision=revision, before=self.last, phase=declared, statements=statements, concurrent=concurrent
        )
        (self.folder / f"migrations/versions/{revision}_made_up.py").write_text(source)
        self.last = revision

    def start(self, url: str, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "fastier", "database", *arguments]
        environment = {"PATH": os.environ["PATH"], "DATABASE_URL": url, "PYTHONDONTWRITEBYTECODE": "1"}
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=pipe, stderr=pipe, text=True)

    def run(self, url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run `python -m fastier database …` to its end."""
        with self.start(url, *arguments) as process:
            try:
                output, errors = process.communicate(timeout=120)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def check(self, url: str) -> Any:
        return json.loads(self.run(url, "check", "--json").stdout)
