"""Holds what an archive contains, as an instance would unpack it; every rule reads files from here alone."""

import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

# What Elastic Beanstalk takes at most, of the archive; a bomb must not fill the laptop's memory either.
LARGEST_ARCHIVE = 500 * 1024 * 1024
LARGEST_UNPACKED = 2 * 1024 * 1024 * 1024

T = TypeVar("T")


class BundleError(Exception):
    """The archive cannot be read; the message is for the person who named it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: `mode` is its Unix mode with the kind of file in it, 0 where the archive's system kept none."""

    path: str
    mode: int
    content: bytes = field(repr=False)

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.mode)

    @property
    def is_executable(self) -> bool:
        return bool(self.mode & 0o111)

    @property
    def text(self) -> str | None:
        """The content as UTF-8 with its byte order mark, or None when it is something else."""
        try:
            return self.content.decode("utf-8")
        except UnicodeDecodeError:
            return None


@dataclass(frozen=True)
class Bundle:
    """All files of an archive by their path; folders are implied."""

    entries: dict[str, Entry]
    archive_bytes: int = 0
    _computed: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, name: str, compute: Callable[["Bundle"], T]) -> T:
        """What `compute` makes of these files alone; computed once for all configurations and rules."""
        if name not in self._computed:
            self._computed[name] = compute(self)
        found: T = self._computed[name]
        return found

    @classmethod
    def of_archive(cls, path: Path) -> "Bundle":
        """Read a zip; raises BundleError when it is none, is damaged, or is larger than the platform takes."""
        try:
            with zipfile.ZipFile(path) as archive:
                infos = [info for info in archive.infolist() if not info.is_dir()]
                if sum(info.file_size for info in infos) > LARGEST_UNPACKED:
                    raise BundleError(f"{path} unpacks to more than {LARGEST_UNPACKED:,} bytes")
                entries = [Entry(info.filename, info.external_attr >> 16, archive.read(info)) for info in infos]
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise BundleError(f"{path} cannot be read as a zip archive: {reason}") from None
        return cls({entry.path: entry for entry in entries}, path.stat().st_size)

    @classmethod
    def of_files(cls, files: dict[str, str | bytes], *, executable: tuple[str, ...] = ()) -> "Bundle":
        """A bundle made of texts, for tests; the files named are executable."""
        return cls(
            {
                path: Entry(
                    path,
                    0o100755 if path in executable else 0o100644,
                    content.encode() if isinstance(content, str) else content,
                )
                for path, content in files.items()
            }
        )

    def __contains__(self, path: object) -> bool:
        return path in self.entries

    def text(self, path: str) -> str | None:
        """The file as text; None when there is no such file, or it is no UTF-8."""
        entry = self.entries.get(path)
        return entry.text if entry else None

    def under(self, folder: str) -> list[Entry]:
        """The files beneath a folder, sorted by path, as the platform goes through them."""
        prefix = folder.rstrip("/") + "/"
        return sorted((entry for path, entry in self.entries.items() if path.startswith(prefix)), key=_path)

    @cached_property
    def top_level(self) -> frozenset[str]:
        """Names of the files and folders at the archive's root."""
        return frozenset(PurePosixPath(path).parts[0] for path in self.entries if PurePosixPath(path).parts)

    def unpack(self, target: Path) -> None:
        """Write all regular files beneath `target`; one that would leave it raises BundleError."""
        for entry in self._regular():
            place = (target / entry.path).resolve()
            if not place.is_relative_to(target.resolve()):
                raise BundleError(f"{entry.path} leads out of the archive")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(entry.content)
            if entry.is_executable:
                place.chmod(0o755)

    def _regular(self) -> Iterator[Entry]:
        return (entry for entry in self.entries.values() if not entry.is_link)


def _path(entry: Entry) -> str:
    return entry.path
