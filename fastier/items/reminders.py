"""When reminders go out: a moment of their own, or so many minutes before the item is due."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text
from uuid_utils.compat import uuid7

from fastier.dates.zones import moment_of
from fastier.items.schemas import NewReminder
from fastier.web.viewer import Viewer

# Somebody is reminded of a day at nine in the morning, wherever they are.
MORNING = time(9)

_OWN = text(
    """SELECT CAST(id AS text), minutes_before, at, fires_at FROM reminders
    WHERE item_id = :item AND user_id = :viewer ORDER BY id"""
)
_ALL = text(
    """SELECT r.id, r.minutes_before, r.at, r.fires_at, i.due_date, i.due_time, i.due_timezone,
        i.completed_at IS NOT NULL OR i.deleted_at IS NOT NULL AS is_over, u.timezone,
        clock_timestamp() AS now
    FROM reminders r JOIN items i ON i.id = r.item_id JOIN users u ON u.id = r.user_id
    WHERE r.item_id = ANY (CAST(:items AS uuid[]))"""
)
_SET = text(
    """UPDATE reminders r SET fires_at = n.fires_at
    FROM unnest(CAST(:ids AS uuid[]), CAST(:moments AS timestamptz[])) AS n (id, fires_at) WHERE r.id = n.id"""
)
_SWITCH_OFF = text(
    """UPDATE reminders SET fires_at = NULL
    WHERE item_id = ANY (CAST(:items AS uuid[])) AND fires_at IS NOT NULL"""
)
# No clock change anywhere leaves nine in the morning out, so PostgreSQL and Python agree about it.
_FOLLOW = text(
    """UPDATE reminders r
    SET fires_at = (i.due_date + time '09:00') AT TIME ZONE :zone - make_interval(mins => r.minutes_before)
    FROM items i WHERE r.user_id = :viewer AND r.fires_at IS NOT NULL AND r.minutes_before IS NOT NULL
      AND i.id = r.item_id AND i.due_time IS NULL"""
)


def own(connection: Connection, viewer: Viewer, item_id: UUID) -> list[dict[str, Any]]:
    """The viewer's reminders of an item to which their access has been checked."""
    parameters = {"item": str(item_id), "viewer": str(viewer.user_id)}
    return [dict(row) for row in connection.execute(_OWN, parameters).mappings()]


def parameters_of(viewer: Viewer, wanted: list[NewReminder], due: dict[str, Any], *, is_over: bool) -> dict[str, Any]:
    """What a statement needs to make reminders of an item that is due then, see items.queries."""
    now = datetime.now(UTC)
    moments = [None if is_over else fires_at(new.minutes_before, new.at, due, viewer.timezone, now) for new in wanted]
    return {
        "viewer": str(viewer.user_id),
        "reminder_ids": [str(uuid7()) for _ in wanted],
        "reminder_minutes": [new.minutes_before for new in wanted],
        "reminder_ats": [new.at for new in wanted],
        "reminder_fires": moments,
    }


def fires_at(minutes_before: int | None, at: datetime | None, due: Any, zone: str, now: datetime) -> datetime | None:
    """The moment at which a reminder goes out: None where there is none, and once it has passed.

    due: due_date, due_time and due_timezone of the item. zone: of whoever is reminded.
    """
    moment = at
    if minutes_before is not None and due["due_date"] is not None:
        has_time = due["due_time"] is not None
        begin = moment_of(
            due["due_date"], due["due_time"] if has_time else MORNING, due["due_timezone"] if has_time else zone
        )
        try:
            moment = begin - timedelta(minutes=minutes_before)
        except OverflowError:
            return None
    return moment if moment is not None and moment > now else None


def refresh(connection: Connection, item_ids: list[str]) -> None:
    """Set everybody's reminders of these items anew: they have another date, or are open again."""
    rows = connection.execute(_ALL, {"items": item_ids}).mappings().all()
    moments = {str(row["id"]): _moment(row) for row in rows}
    changed = [str(row["id"]) for row in rows if row["fires_at"] != moments[str(row["id"])]]
    if changed:
        connection.execute(_SET, {"ids": changed, "moments": [moments[id] for id in changed]})


def _moment(row: RowMapping) -> datetime | None:
    if row["is_over"]:
        return None
    return fires_at(row["minutes_before"], row["at"], row, row["timezone"], row["now"])


def switch_off(connection: Connection, item_ids: list[str]) -> None:
    """Remind nobody of these items: they are done or deleted."""
    connection.execute(_SWITCH_OFF, {"items": item_ids})


def follow(connection: Connection, viewer: Viewer, zone: str) -> None:
    """The viewer has moved to this zone: their mornings begin at other moments."""
    connection.execute(_FOLLOW, {"viewer": str(viewer.user_id), "zone": zone})
