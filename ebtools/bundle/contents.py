"""Decides what an instance gets: an explicit list of names, and nothing that is not committed."""

import json
import posixpath
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ebtools.bundle import git, leaks
from ebtools.bundle.errors import BundleError

# Each of them is needed; nothing else at the top level is. A new folder of the project stays out until it is named.
TOP_LEVEL = (
    ".ebextensions",
    ".platform",
    "Procfile",
    "application.py",
    "fastier",
    "gunicorn.conf.py",
    "migrations",
    "requirements.txt",
)
# What only a developer uses in these folders, to begin a new migration.
NEEDLESS = frozenset({"migrations/script.py.mako"})
BUILD_FILE = "fastier/build.json"
# What Elastic Beanstalk takes at most, of the archive; here of its unpacked files, which is stricter.
LARGEST = 500 * 1024 * 1024

_LINK = "120000"
_SUBMODULE = "160000"


@dataclass(frozen=True, slots=True)
class File:
    """One entry of the archive; `mode` is its Unix mode with the kind of file in it."""

    path: str
    mode: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Contents:
    """All that goes into an archive, sorted by path."""

    commit: git.Commit
    version: str
    files: tuple[File, ...]


def of_head(root: Path, *, largest: int = LARGEST) -> Contents:
    """What the checked out commit deploys; raises BundleError with every fault that was found."""
    commit = git.head(root)
    committed = git.entries(root, commit)
    chosen = [entry for entry in committed if _is_needed(entry.path)]
    _refuse(_missing(chosen) + _unfit(chosen) + _oversized(chosen, largest))
    files = _read(root, chosen)
    _refuse(_dangling(files) + [fault for file in files for fault in leaks.in_file(file.path, file.content)])
    version = _version(root, committed)
    build = json.dumps({"version": version, "commit": commit.name}, sort_keys=True) + "\n"
    files.append(File(BUILD_FILE, 0o100644, build.encode()))
    return Contents(commit, version, tuple(sorted(files, key=lambda file: file.path)))


def _is_needed(path: str) -> bool:
    return path.split("/")[0] in TOP_LEVEL and path not in NEEDLESS and path != BUILD_FILE


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise BundleError(*faults)


def _missing(chosen: Sequence[git.Entry]) -> list[str]:
    present = {entry.path.split("/")[0] for entry in chosen}
    return [f"{name} is missing from HEAD; is it committed?" for name in TOP_LEVEL if name not in present]


def _unfit(chosen: Sequence[git.Entry]) -> list[str]:
    faults = [f"{entry.path} is a submodule, whose files are not here" for entry in chosen if entry.mode == _SUBMODULE]
    for entry in chosen:
        try:
            entry.path.encode("ascii")
        except UnicodeError:
            faults.append(f"{entry.path!a} is not plain ASCII; unzip on the instance may name it otherwise")
    return faults


def _oversized(chosen: Sequence[git.Entry], largest: int) -> list[str]:
    total = sum(entry.size for entry in chosen)
    if total <= largest:
        return []
    biggest = max(chosen, key=lambda entry: entry.size)
    return [f"{total:,} bytes are more than {largest:,}; the largest is {biggest.path} with {biggest.size:,}"]


def _read(root: Path, chosen: Sequence[git.Entry]) -> list[File]:
    contents = git.contents(root, [entry.blob for entry in chosen])
    return [
        File(entry.path, int(entry.mode, 8) | (0o777 if entry.mode == _LINK else 0), content)
        for entry, content in zip(chosen, contents, strict=True)
    ]


def _dangling(files: Sequence[File]) -> list[str]:
    """Links that lead out of the archive: whatever they name here is something else, or nothing, on an instance."""
    known = {path for file in files for path in _with_parents(file.path)}
    faults = []
    for file in files:
        if file.mode >> 12 != 0o12:
            continue
        target = file.content.decode("utf-8", "replace")
        if (
            target.startswith("/")
            or posixpath.normpath(posixpath.join(posixpath.dirname(file.path), target)) not in known
        ):
            faults.append(f"{file.path} is a link out of the bundle, to {target}")
    return faults


def _with_parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _version(root: Path, committed: Sequence[git.Entry]) -> str:
    blobs = [entry.blob for entry in committed if entry.path == "pyproject.toml"]
    try:
        (content,) = git.contents(root, blobs)
        return str(tomllib.loads(content.decode())["project"]["version"])
    except (ValueError, KeyError):
        raise BundleError("pyproject.toml in HEAD names no project.version") from None
