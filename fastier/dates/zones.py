"""Turns wall-clock times into moments: a time that a clock change leaves out moves forward, a doubled one is the first.

Wall-clock times are what is kept: nine in the morning stays nine in the morning on both sides of a clock change.
"""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


def moment_of(day: date, at: time, zone: str) -> datetime:
    """The moment, in UTC, at which clocks in the zone show this day and time."""
    try:
        return datetime.combine(day, at, ZoneInfo(zone)).astimezone(UTC)
    except OverflowError:
        # The ends of the calendar: no zone leads beyond them.
        return _FIRST if day.year == 1 else _LAST


def day_of(moment: datetime, zone: str) -> date:
    """The date that people in the zone have at this moment."""
    return moment.astimezone(ZoneInfo(zone)).date()
