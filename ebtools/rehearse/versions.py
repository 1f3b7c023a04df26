"""Makes further versions of a bundle: the same code with a migration more, or with a fault to be found."""

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from alembic.script import ScriptDirectory

BUILD = "fastier/build.json"
MIGRATIONS = "migrations/versions"
Change = Callable[[dict[str, bytes]], Mapping[str, bytes | None]]

_MIGRATION = '''"""A column and an index more, as the next version would bring them."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
phase = "expand"


def upgrade() -> None:
    op.add_column("lists", sa.Column("rehearsed_{number}", sa.Text()))
    with op.get_context().autocommit_block():
        op.create_index("ix_lists_rehearsed_{number}", "lists", ["rehearsed_{number}"], postgresql_concurrently=True)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("ix_lists_rehearsed_{number}", postgresql_concurrently=True)
    op.drop_column("lists", "rehearsed_{number}")
'''


@dataclass(frozen=True, slots=True)
class Version:
    """A bundle to deploy: its name in the report, its archive, and the commit that it says it is, if it says one."""

    name: str
    archive: Path
    commit: str = ""


@dataclass(slots=True)
class Versions:
    """Writes each next version of one bundle into a folder; every one has the migrations of those before it.

    A bundle that has none of Fastier's files is deployed again as it is.
    """

    first: Path
    folder: Path
    count: int = 0
    migrations: dict[str, bytes] | None = None

    def next(self, *changes: Change, has_migration: bool = True) -> Version:
        """The next version; the changes are made to its files alone, and not to those of the versions after it."""
        self.count += 1
        with zipfile.ZipFile(self.first) as archive:
            files = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
            modes = {info.filename: info.external_attr for info in archive.infolist()}
        commit = ""
        if BUILD in files:
            commit = f"{self.count:04d}" + "0" * 36
            files[BUILD] = json.dumps({**json.loads(files[BUILD]), "commit": commit}).encode()
            if has_migration and self.count > 1:
                self._add_migration(files)
            files |= self.migrations or {}
        for change in changes:
            for name, content in change(files).items():
                files.pop(name, None)
                if content is not None:
                    files[name] = content
        version = Version(f"v{self.count}", self.folder / f"v{self.count}.zip", commit)
        _write(version.archive, files, modes)
        return version

    def _add_migration(self, files: dict[str, bytes]) -> None:
        self.migrations = self.migrations or {}
        revision = f"rehearsed_{self.count}"
        text = _MIGRATION.format(revision=revision, before=self._head(files), number=self.count)
        self.migrations = {**self.migrations, f"{MIGRATIONS}/{revision}.py": text.encode()}

    def _head(self, files: dict[str, bytes]) -> str:
        """The last migration of the bundle with those that were added, as alembic itself finds it."""
        folder = self.folder / f"migrations-{self.count}"
        for name, content in {**files, **(self.migrations or {})}.items():
            if name.startswith("migrations/"):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
        return str(ScriptDirectory(str(folder / "migrations")).get_current_head())


def _write(target: Path, files: Mapping[str, bytes], modes: Mapping[str, int]) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name)
            info.external_attr = modes.get(name, 0o100755 << 16 if "/hooks/" in name else 0o100644 << 16)
            archive.writestr(info, files[name])


def failing_hook(_files: dict[str, bytes]) -> dict[str, bytes]:
    """A predeploy hook that ends with an error."""
    return {".platform/hooks/predeploy/99_fails": b"#!/usr/bin/env bash\necho 'planted: this hook fails' >&2\nexit 1\n"}


_FAILS_LATER = b"""#!/usr/bin/env bash
[ "${EB_IS_COMMAND_LEADER:-}" = true ] || { echo 'planted: this hook fails later' >&2; exit 1; }
"""


def late_hook(_files: dict[str, bytes]) -> dict[str, bytes]:
    """A predeploy hook that fails on every instance but the one that leads, so that some are done before."""
    return {".platform/hooks/predeploy/99_fails": _FAILS_LATER}


def wrong_proxy(_files: dict[str, bytes]) -> dict[str, bytes]:
    """A file of the proxy's that nginx refuses."""
    return {".platform/nginx/conf.d/zz_planted.conf": b"server_name_in_redirect maybe;\n"}


def no_start(files: dict[str, bytes]) -> dict[str, bytes]:
    """An application that ends as soon as it is imported."""
    return {"application.py": b"raise SystemExit('planted: this version cannot start')\n" + files["application.py"]}


def wrong_health_path(files: dict[str, bytes]) -> dict[str, bytes | None]:
    """An application that no longer knows the path which the load balancer asks."""
    return {
        name: content.replace(b"/health/live", b"/health/moved")
        for name, content in files.items()
        if name.startswith("fastier/") and name.endswith(".py") and b"/health/live" in content
    }


def blocking_migration(files: dict[str, bytes]) -> dict[str, bytes]:
    """A migration that locks every item for as long as people would not wait, as one that rewrites the table does."""
    return _in_migration(files, "LOCK TABLE items IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(4)")


def failing_migration(files: dict[str, bytes]) -> dict[str, bytes]:
    """A migration that the database refuses."""
    return _in_migration(files, "SELECT 1 / 0")


def _in_migration(files: dict[str, bytes], statement: str) -> dict[str, bytes]:
    """The version's own migration with a statement before its others."""
    name = max((name for name in files if name.startswith(f"{MIGRATIONS}/rehearsed_")), key=lambda n: (len(n), n))
    upgrade = "def upgrade() -> None:\n"
    text = files[name].decode().replace(upgrade, f'{upgrade}    op.execute("{statement}")\n', 1)
    return {name: text.encode()}


FAULTS: dict[str, Change] = {
    "hook": failing_hook,
    "late hook": late_hook,
    "migration": failing_migration,
    "proxy": wrong_proxy,
    "start": no_start,
    "health": wrong_health_path,
    "blocking": blocking_migration,
}
# With these a deployment stops; the other succeeds, and users pay for it.
STOPPING = ("hook", "migration", "proxy", "start", "health")
# These are planted in what only Fastier has.
OWN_FAULTS = ("migration", "start", "health", "blocking")
