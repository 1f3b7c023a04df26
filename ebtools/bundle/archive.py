"""Writes the archive, the same bytes for the same commit."""

import os
import tempfile
import time
import zipfile
from pathlib import Path

from ebtools.bundle.contents import Contents, File

# Fixed, so that it never depends on the library's default.
LEVEL = 9
# What zip can express at the earliest.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3


def write(contents: Contents, output: Path) -> None:
    """Put the archive where `output` says, whole or not at all; raises OSError."""
    output.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.")
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            for entry in contents.files:
                archive.writestr(_header(entry, contents.commit.seconds), entry.content, compresslevel=LEVEL)
        # mkstemp makes it private; others on this machine may read what was public in git.
        Path(name).chmod(0o644)
        Path(name).replace(output)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _header(file: File, seconds: int) -> zipfile.ZipInfo:
    moment = time.gmtime(seconds)
    header = zipfile.ZipInfo(file.path, max(_EPOCH, tuple(moment)[:6]))  # type: ignore[arg-type]
    header.compress_type = zipfile.ZIP_DEFLATED
    # Otherwise the system that wrote it would be part of the bytes.
    header.create_system = _UNIX
    header.external_attr = file.mode << 16
    return header
