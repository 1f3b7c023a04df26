"""What the parts of a rehearsal have written, kept beside the report for whoever asks why an act failed."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

# Of each file its end, where the reason stands.
MOST_BYTES = 512 * 1024


def keep(region: Path, act: str, instances: Iterable[str], target: Path) -> None:
    """Copy the ends of the logs of these instances, of the load in this act, and of what served both."""
    for path in [*region.glob("*.log"), *region.glob("*/*.log"), *(region / act).glob("*.err")]:
        keep_end(path, target / path.relative_to(region))
    for name in instances:
        keep_folder(region / "instances" / name / "log", target / name)
        keep_folder(region / "instances" / name / "root/var/log", target / name)


def keep_folder(source: Path, target: Path) -> None:
    """Copy the ends of all files beneath a folder; links, which a bundle may have made, are passed over."""
    for path in sorted(source.rglob("*")):
        if path.is_file() and not path.is_symlink():
            keep_end(path, target / path.relative_to(source))


def keep_end(source: Path, target: Path) -> None:
    """Copy the last lines of a file, of half a megabyte together; an empty one says nothing and is left out."""
    # Programs that still run may take their files away.
    with contextlib.suppress(FileNotFoundError), source.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > MOST_BYTES:
            file.seek(size - MOST_BYTES)
            file.readline()
        if text := file.read(MOST_BYTES):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text)
