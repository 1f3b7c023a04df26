"""The rules of sync: what a cursor stands for, and when a client must begin anew."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from fastier.errors import BadRequest, FieldError, Gone
from fastier.sync import queries
from fastier.sync.queries import KEPT_DAYS, Event, Window
from fastier.web.viewer import Viewer
from fastier.workspaces.access import Access


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a client stands: it has all changes up to `base`, and is told those up to `target` from `place` on.

    started: when `target` was the newest revision, in seconds; whatever has been deleted since is still remembered.
    """

    base: int
    target: int
    started: int
    place: tuple[int, int, str, str, str] | None = None

    def written(self) -> list[Any]:
        return [self.base, self.target, self.started, list(self.place) if self.place else None]

    @property
    def is_complete(self) -> bool:
        return self.place is None


@dataclass(frozen=True, slots=True)
class Answer:
    """One page of changes, and the cursor behind it."""

    changes: list[dict[str, Any]]
    deleted: list[dict[str, str]]
    cursor: Cursor
    has_more: bool


def read_cursor(written: list[Any] | None, seen: Access) -> Cursor | None:
    """The cursor that a client sent, None for the first call; Gone when what it missed is no longer known."""
    if written is None:
        return None
    try:
        base, target, started, place = written
        cursor = Cursor(base, target, started, tuple(place) if place else None)
    except (TypeError, ValueError):
        detail = "This cursor is not of this list; start again without one."
        raise BadRequest(detail, code="bad_cursor", errors=[FieldError("?cursor", detail)]) from None
    age = datetime.now(UTC) - datetime.fromtimestamp(cursor.started, UTC)
    # A backup that was brought back may know less than the client.
    if age > timedelta(days=KEPT_DAYS) or cursor.target > seen.revision:
        raise Gone("This cursor is too old; get everything again by asking without one.", code="cursor_expired")
    return cursor


def changes_since(connection: Connection, viewer: Viewer, seen: Access, cursor: Cursor | None, limit: int) -> Answer:
    """A page of what has changed; nothing is asked when nothing has."""
    now = int(datetime.now(UTC).timestamp())
    if cursor is None:
        cursor = Cursor(0, seen.revision, now)
    elif cursor.is_complete:
        if cursor.target == seen.revision:
            return Answer([], [], Cursor(cursor.base, cursor.target, now), has_more=False)
        cursor = Cursor(cursor.target, seen.revision, now)
    window = Window(cursor.base, cursor.target, cursor.place)
    events = queries.changes(connection, viewer, seen.workspace_id, window, limit + 1)
    shown = events[:limit]
    ended = len(events) <= limit
    place = None if ended else shown[-1].place
    following = Cursor(cursor.base, cursor.target, cursor.started, place)
    return _answer(shown, following, has_more=not ended or seen.revision > cursor.target)


def _answer(events: list[Event], cursor: Cursor, *, has_more: bool) -> Answer:
    """Each thing once: what made it look different is all told by its body."""
    once = {(event.kind, event.id): event for event in events}.values()
    return Answer(
        changes=[event.body for event in once if event.body is not None],
        deleted=[{"type": event.kind, "id": event.id} for event in once if event.body is None],
        cursor=cursor,
        has_more=has_more,
    )
