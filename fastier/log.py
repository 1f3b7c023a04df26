"""Makes everything a process says one JSON object per line: our own events, gunicorn's and the libraries'."""

import json
import logging
import traceback
from collections.abc import MutableMapping
from datetime import UTC, datetime
from io import FileIO
from types import CodeType
from typing import Any

import orjson
import structlog

from fastier.settings import Settings

# The innermost frames tell most. With more, a line could exceed the 4,096 bytes that a pipe takes in one
# piece, and the lines of two workers could mix.
MOST_FRAMES = 24
MOST_CAUSES = 2
LONGEST_MESSAGE = 300


def configure(settings: Settings) -> None:
    """Set up structlog (to stdout) and the standard library's logging (to stderr) for this process."""
    level = logging.getLevelNamesMapping()[settings.log_level]
    structlog.configure(
        processors=[_stamp, _render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(_Stdout(1, "wb", closefd=False)),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler.formatter, JsonFormatter):
            root.removeHandler(handler)
    root.addHandler(_stderr())
    # Libraries write headers and signed addresses at DEBUG, so that level is for our own events alone.
    root.setLevel(max(level, logging.INFO))


class _Stdout(FileIO):
    """Unbuffered: each line is one write, so that forked workers never hold half a line of their parent's."""

    def write(self, line: Any) -> int:
        """A line that finds no room, as on a full disk, is lost; the request that it tells of must not be."""
        try:
            return super().write(line) or 0
        except OSError:
            return 0


class JsonFormatter(logging.Formatter):
    """Formats a record of the standard library's logging like one of our own events."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": _now(),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
            "process": record.process,
        }
        if record.exc_info and record.exc_info[1] is not None:
            fields |= describe(record.exc_info[1])
        return to_json(fields).decode()


def describe(error: BaseException, causes: int = MOST_CAUSES) -> dict[str, Any]:
    """The error's kind and first line, its innermost frames, and what caused it.

    The first line only: what follows it is where a database repeats the row and pydantic the input.
    """
    lines = str(error).splitlines() or [""]
    frames = [
        f"{_short(frame.f_code)}:{line} {frame.f_code.co_qualname}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    fields: dict[str, Any] = {
        "error": f"{type(error).__name__}: {lines[0][:LONGEST_MESSAGE]}",
        "stack": "\n".join(frames[-MOST_FRAMES:]),
    }
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and causes > 0:
        fields["cause"] = describe(cause, causes - 1)
    return fields


def to_json(fields: MutableMapping[str, Any]) -> bytes:
    """One line; a line break inside a value is escaped, so that no value can forge a second line."""
    try:
        return orjson.dumps(fields, default=str)
    except TypeError:
        # orjson refuses lone surrogates and numbers beyond 64 bits; the line must be written all the same.
        return json.dumps(fields, default=str, skipkeys=True).encode()


def _short(code: CodeType) -> str:
    return "/".join(code.co_filename.split("/")[-3:])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _stamp(_logger: Any, method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {"time": _now(), "level": method, **fields}


def _render(_logger: Any, _method: str, fields: MutableMapping[str, Any]) -> bytes:
    return to_json(fields)


def _stderr() -> logging.Handler:
    # The descriptor rather than sys.stderr, which a test runner replaces and closes.
    handler = logging.StreamHandler(open(2, "w", encoding="utf-8", closefd=False))  # noqa: SIM115
    handler.setFormatter(JsonFormatter())
    return handler
