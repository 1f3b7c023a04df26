"""Reads a commit out of git: what is committed is what is deployed, whatever the work tree looks like."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ebtools.bundle.errors import BundleError

SECONDS = 120


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit's full name, and when it was made in seconds since 1970."""

    name: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a commit: `mode` as git writes it (100644, 100755, 120000 or 160000) and its size in bytes."""

    path: str
    mode: str
    blob: str
    size: int


def head(root: Path) -> Commit:
    """The commit that is checked out; raises BundleError where there is none."""
    words = _git(root, "log", "-1", "--format=%H %ct", "HEAD").decode().split()
    return Commit(words[0], int(words[1]))


def entries(root: Path, commit: Commit) -> list[Entry]:
    """All files of the commit, sorted by path."""
    listing = _git(root, "ls-tree", "-r", "-z", "-l", "--full-tree", commit.name)
    return sorted((_entry(line) for line in listing.split(b"\0") if line), key=lambda entry: entry.path)


def _entry(line: bytes) -> Entry:
    facts, path = line.decode("utf-8", "surrogateescape").split("\t", 1)
    mode, _kind, blob, size = facts.split()
    return Entry(path, mode, blob, int(size) if size.isdigit() else 0)


def contents(root: Path, blobs: Sequence[str]) -> list[bytes]:
    """The blobs' bytes, in their order, read by one process."""
    answer = _git(root, "cat-file", "--batch", stdin="".join(f"{blob}\n" for blob in blobs).encode())
    found: list[bytes] = []
    position = 0
    for blob in blobs:
        end = answer.index(b"\n", position)
        header = answer[position:end].split()
        if len(header) != 3:
            raise BundleError(f"git cannot read {blob}; is this a partial clone?")
        start, size = end + 1, int(header[2])
        found.append(answer[start : start + size])
        position = start + size + 1
    return found


def changes(root: Path, paths: Sequence[str]) -> list[str]:
    """What of these paths is not as committed, new files included."""
    listing = _git(root, "status", "--porcelain", "-z", "--no-renames", "--", *paths)
    return [line[3:].decode("utf-8", "replace") for line in listing.split(b"\0") if line]


def _git(root: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    # Without git's own variables, which name another repository when this runs in a hook.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, env=environ, timeout=SECONDS)
    except FileNotFoundError:
        raise BundleError("git is missing; install it, for example: apt-get install git") from None
    except subprocess.TimeoutExpired:
        raise BundleError(f"git {arguments[0]} took more than {SECONDS} s") from None
    if done.returncode != 0:
        told = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["without a word"]
        raise BundleError(f"git {arguments[0]} failed: {told[0]}")
    return done.stdout
