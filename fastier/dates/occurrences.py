"""Lists the days of a recurrence rule, from any date on, in steps that are bounded whatever the rule says.

A rule that falls on no day costs dateutil seconds, and one whose start is long past costs it every day since; both
would be spent while a workspace is locked. Here periods between are skipped, and a search ends after a fixed gap. The
tests hold the days to those that dateutil finds.
"""

from calendar import isleap, monthrange
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from itertools import count

from fastier.dates.rules import Rule

# A rule that has no day for so long is taken to have none: the longest that anybody means is the 29th of February.
LONGEST_GAP_YEARS = 50
_LONGEST_GAP = LONGEST_GAP_YEARS * 366
_LAST = date.max.toordinal()


def occurrences(rule: Rule, start: date, after: date) -> Iterator[date]:
    """The days of the rule strictly after `after`, in order, as RFC 5545 has them for this start.

    COUNT and UNTIL are left to whoever asks. It ends when a gap is too long, and at the end of the calendar.
    """
    rule = _completed(rule, start)
    floor = max(after.toordinal() + 1, start.toordinal())
    wanted = _filter(rule)
    found = floor
    for first, last in _periods(rule, start, floor):
        if first > _LAST or first > found + _LONGEST_GAP:
            return
        days = [day for day in map(date.fromordinal, range(max(first, 1), min(last, _LAST) + 1)) if wanted(day)]
        for day in _chosen(days, rule.by_set_pos):
            if day.toordinal() >= floor:
                found = day.toordinal()
                yield day


def _completed(rule: Rule, start: date) -> Rule:
    """The rule with what it leaves to its start: the weekday, the day of the month, the month."""
    if rule.frequency == "WEEKLY" and not rule.by_day:
        return replace(rule, by_day=((0, start.weekday()),))
    if rule.frequency in ("MONTHLY", "YEARLY") and not rule.by_day and not rule.by_month_day:
        months = rule.by_month or ((start.month,) if rule.frequency == "YEARLY" else ())
        return replace(rule, by_month=months, by_month_day=(start.day,))
    return rule


def _periods(rule: Rule, start: date, floor: int) -> Iterator[tuple[int, int]]:
    """The first and last day, as ordinals, of each period that counts, from the last that begins by `floor` on."""
    day = date.fromordinal(min(floor, _LAST))
    step = rule.interval
    if rule.frequency in ("DAILY", "WEEKLY"):
        length = 1 if rule.frequency == "DAILY" else 7
        begin = start.toordinal()
        if length == 7:
            begin -= (start.weekday() - rule.week_start) % 7
        skipped = (floor - begin) // (length * step)
        yield from ((first, first + length - 1) for first in count(begin + skipped * length * step, length * step))
    elif rule.frequency == "MONTHLY":
        begin, there = start.year * 12 + start.month - 1, day.year * 12 + day.month - 1
        for month in range(begin + (there - begin) // step * step, 10_000 * 12, step):
            first = date(month // 12, month % 12 + 1, 1)
            yield first.toordinal(), first.toordinal() + monthrange(first.year, first.month)[1] - 1
    else:
        for year in range(start.year + (day.year - start.year) // step * step, 10_000, step):
            yield date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal()


def _filter(rule: Rule) -> Callable[[date], bool]:
    months, month_days = frozenset(rule.by_month), frozenset(rule.by_month_day)
    weekdays = frozenset(weekday for position, weekday in rule.by_day if position == 0)
    positions = frozenset(day for day in rule.by_day if day[0] != 0)
    # In a year, the second Monday is the year's unless months are named; then it is each month's.
    in_year = rule.frequency == "YEARLY" and not months

    def wanted(day: date) -> bool:
        if months and day.month not in months:
            return False
        if month_days and month_days.isdisjoint((day.day, day.day - monthrange(day.year, day.month)[1] - 1)):
            return False
        if not rule.by_day or day.weekday() in weekdays:
            return True
        return bool(positions) and not positions.isdisjoint(_positions(day, in_year=in_year))

    return wanted


def _positions(day: date, *, in_year: bool) -> tuple[tuple[int, int], tuple[int, int]]:
    """Which of its weekday a day is, counted from the beginning and from the end."""
    if in_year:
        number, length = day.timetuple().tm_yday, 366 if isleap(day.year) else 365
    else:
        number, length = day.day, monthrange(day.year, day.month)[1]
    return ((number - 1) // 7 + 1, day.weekday()), (-((length - number) // 7 + 1), day.weekday())


def _chosen(days: list[date], positions: tuple[int, ...]) -> list[date]:
    if not positions:
        return days
    length = len(days)
    return sorted({days[p - 1 if p > 0 else p] for p in positions if -length <= p <= length})
