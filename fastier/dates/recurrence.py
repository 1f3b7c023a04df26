"""Says when a recurring item is due next, once it is done."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import Literal

from dateutil.relativedelta import relativedelta

from fastier.dates.occurrences import LONGEST_GAP_YEARS, occurrences
from fastier.dates.rules import BadRule, Rule, parse
from fastier.dates.zones import day_of, moment_of

Mode = Literal["schedule", "completion"]
_UNITS = {"DAILY": "days", "WEEKLY": "weeks", "MONTHLY": "months", "YEARLY": "years"}


@dataclass(frozen=True, slots=True)
class Recurring:
    """A due date that repeats; `zone` is the one of its time, or of whoever acts where it has none."""

    rrule: str
    mode: Mode
    day: date
    at: time | None
    zone: str


@dataclass(frozen=True, slots=True)
class Next:
    """The next due date, and the rule as it then is: COUNT is how many days are left, this one included."""

    day: date
    rrule: str


def check(rrule: str, start: date) -> None:
    """BadRule unless the rule is understood and falls on some day from `start` on."""
    rule = parse(rrule)
    if rule.frequency == "YEARLY" and rule.interval > LONGEST_GAP_YEARS:
        raise BadRule(f"A YEARLY rule takes an INTERVAL up to {LONGEST_GAP_YEARS}.")
    before = start.toordinal() - 1
    day_before = date.fromordinal(before) if before else start
    if next(occurrences(rule, start, day_before), None) is None:
        raise BadRule(f"From that date on, the rule falls on no day within {LONGEST_GAP_YEARS} years.")


def after_done(item: Recurring, now: datetime) -> Next | None:
    """When the item is due again, having been done at `now`; None when its rule is used up.

    schedule: the first day of the rule after the due date that is still ahead: later than today, or later than now for
    an item with a time. What was missed between is left out, but it counts for COUNT.
    completion: counted from the day on which it was done, in the item's zone.
    """
    rule = parse(item.rrule)
    steps, day = _scheduled(rule, item, now) if item.mode == "schedule" else (1, _counted(rule, item, now))
    if day is None or _is_over(rule, item, day) or (rule.count is not None and steps >= rule.count):
        return None
    left = item.rrule
    if rule.count is not None:
        left = re.sub(r"(?<=\bCOUNT=)\d+", str(rule.count - steps), left)
    return Next(day, left)


def _scheduled(rule: Rule, item: Recurring, now: datetime) -> tuple[int, date | None]:
    """The next day that is still ahead, and the how-manieth after the due date it is, if the rule counts them."""
    today = day_of(now, item.zone)
    # Today may still be ahead, for a time; where days are counted, none can be skipped.
    skipped_to = date.fromordinal(max(today.toordinal() - 1, 1))
    after = item.day if rule.count is not None else max(item.day, skipped_to)
    for step, day in enumerate(occurrences(rule, item.day, after), start=1):
        is_ahead = day > today if item.at is None else moment_of(day, item.at, item.zone) > now
        if is_ahead or (rule.count is not None and step >= rule.count):
            return step, day
    return 1, None


def _counted(rule: Rule, item: Recurring, now: datetime) -> date | None:
    done = day_of(now, item.zone)
    if not rule.has_days:
        moved: date = done + relativedelta(**{_UNITS[rule.frequency]: rule.interval})  # type: ignore[arg-type]
        return moved
    found = next(occurrences(rule, done, done), None)
    # Every second March has no day when it is counted from a January; then the next March is meant.
    return found or next(occurrences(replace(rule, interval=1), done, done), None)


def _is_over(rule: Rule, item: Recurring, day: date) -> bool:
    """Whether the day is later than UNTIL, which is a date, a moment or a time on the wall clock."""
    if rule.until is None:
        return False
    if not isinstance(rule.until, datetime):
        return day > rule.until
    if rule.until.tzinfo is None:
        return datetime.combine(day, item.at or time.min) > rule.until
    return moment_of(day, item.at or time.min, item.zone) > rule.until.astimezone(UTC)
