"""Writes files so that each is there whole or not at all, whatever stops the process."""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from fastier.storage.protocol import StorageUnavailable


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its place when the block ends well, and vanishes when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with unfinished.open("xb") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_json(path: Path, value: dict[str, Any]) -> None:
    with new_file(path) as target:
        target.write(json.dumps(value).encode())


@contextmanager
def disk() -> Iterator[None]:
    """A disk that fails is a store that does not answer."""
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(f"the disk said {os.strerror(error.errno or 0)}") from error
