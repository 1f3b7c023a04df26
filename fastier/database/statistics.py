"""Counts the statements of one request or test, and the time they took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, event


@dataclass(slots=True)
class Statistics:
    """Statements sent and seconds spent in them; `texts` is kept only where a test asks for it."""

    statements: int = 0
    seconds: float = 0.0
    texts: list[str] | None = field(default=None)

    def add(self, other: "Statistics") -> None:
        self.statements += other.statements
        self.seconds += other.seconds
        if self.texts is not None:
            self.texts += other.texts or []


# They frame the statements of a transaction, and are none themselves.
_FRAMES = {"BEGIN", "COMMIT", "ROLLBACK"}

_current: ContextVar[Statistics | None] = ContextVar("fastier_statistics", default=None)


@contextmanager
def measure(statistics: Statistics | None = None) -> Iterator[Statistics]:
    """Collect what runs inside the block, on this thread, into one Statistics; an outer block counts it too."""
    outer = _current.get()
    inner = statistics if statistics is not None else Statistics()
    if outer is not None and outer.texts is not None and inner.texts is None:
        inner.texts = []
    token = _current.set(inner)
    try:
        yield inner
    finally:
        _current.reset(token)
        if outer is not None:
            outer.add(inner)


def listen(engine: Engine) -> None:
    """Count every statement of this engine but those that frame a transaction."""

    @event.listens_for(engine, "before_cursor_execute")
    def started(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if _current.get() is not None and statement not in _FRAMES:
            context.fastier_started = time.perf_counter()

    @event.listens_for(engine, "after_cursor_execute")
    def ended(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        statistics = _current.get()
        if statistics is None or statement in _FRAMES:
            return
        statistics.statements += 1
        statistics.seconds += time.perf_counter() - context.fastier_started
        if statistics.texts is not None:
            statistics.texts.append(statement)
