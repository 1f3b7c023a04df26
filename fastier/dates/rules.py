"""Reads recurrence rules (RRULE of RFC 5545): the part of the grammar that dates need, every number bounded."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Literal, cast

Frequency = Literal["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]
FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
LONGEST_RULE = 300
LARGEST_NUMBER = 999
_DAY = re.compile(rf"([+-]?\d{{1,2}})?({'|'.join(WEEKDAYS)})")
_UNTIL = re.compile(r"(\d{8})(T\d{6}Z?)?")


class BadRule(ValueError):
    """The rule is not one that is understood here; the text says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A recurrence rule; empty tuples where the rule says nothing.

    by_day holds pairs of a position in the month or year (0 for every one) and a weekday from 0, Monday.
    until: the last date, or the last moment: in UTC with a zone, without one on the wall clock.
    """

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: date | datetime | None = None
    by_month: tuple[int, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_day: tuple[tuple[int, int], ...] = ()
    by_set_pos: tuple[int, ...] = ()
    week_start: int = 0

    @property
    def has_days(self) -> bool:
        """Whether the rule itself names days, rather than leaving them to the date at which it starts."""
        return bool(self.by_month or self.by_month_day or self.by_day)


def canonical(value: str) -> str:
    """The rule as it is kept: in capitals, without the name that stands before it in calendar files."""
    return value.strip().upper().removeprefix("RRULE:").rstrip(";")


def parse(value: str) -> Rule:
    """The rule that a canonical text holds; BadRule says what is wrong with it."""
    if len(value) > LONGEST_RULE:
        raise BadRule(f"A rule has at most {LONGEST_RULE} characters.")
    parts: dict[str, str] = {}
    for part in value.split(";"):
        name, equals, given = part.partition("=")
        if not equals or not given:
            raise BadRule("A rule is made of parts like FREQ=WEEKLY, with semicolons between them.")
        if name in parts:
            raise BadRule(f"{name} stands there twice.")
        parts[name] = given
    return _checked(_rule(parts))


def _rule(parts: dict[str, str]) -> Rule:
    if unknown := sorted(set(parts) - _READERS.keys() - {"FREQ"}):
        raise BadRule(f"{unknown[0][:20]} is not understood here; known are FREQ, {', '.join(_READERS)}.")
    frequency = parts.pop("FREQ", None)
    if frequency not in FREQUENCIES:
        raise BadRule(f"FREQ must be {', '.join(FREQUENCIES[:-1])} or {FREQUENCIES[-1]}.")
    rule = Rule(cast(Frequency, frequency))
    read: dict[str, Any] = {}
    for name, given in parts.items():
        field, reader = _READERS[name]
        read[field] = reader(name, given)
    return replace(rule, **read)


def _checked(rule: Rule) -> Rule:
    """The rule, if its parts go together."""
    most = {"MONTHLY": 5, "YEARLY": 53}.get(rule.frequency, 0)
    if any(abs(position) > most for position, _ in rule.by_day):
        raise BadRule(
            f"BYDAY of a {rule.frequency} rule takes weekdays{f', up to the {most}th' if most else ' alone'}."
        )
    if rule.by_month_day and rule.frequency == "WEEKLY":
        raise BadRule("A WEEKLY rule takes no BYMONTHDAY.")
    if rule.by_set_pos and not rule.has_days:
        raise BadRule("BYSETPOS chooses among the days of another part; give BYDAY, BYMONTHDAY or BYMONTH.")
    if rule.count is not None and rule.until is not None:
        raise BadRule("Give COUNT or UNTIL, not both.")
    return rule


def _number(name: str, given: str) -> int:
    if not given.isascii() or not given.isdigit() or not 1 <= int(given[:4]) <= LARGEST_NUMBER or len(given) > 3:
        raise BadRule(f"{name} must be a number from 1 to {LARGEST_NUMBER}.")
    return int(given)


def _numbers(lowest: int, highest: int) -> Callable[[str, str], tuple[int, ...]]:
    def read(name: str, given: str) -> tuple[int, ...]:
        if not re.fullmatch(r"[+-]?\d{1,3}(,[+-]?\d{1,3})*", given, re.ASCII):
            raise BadRule(f"{name} must be numbers with commas between them.")
        numbers = tuple(sorted({int(number) for number in given.split(",")}))
        if 0 in numbers or numbers[0] < lowest or numbers[-1] > highest:
            raise BadRule(f"{name} takes numbers from {lowest} to {highest}, and not 0.")
        return numbers

    return read


def _days(name: str, given: str) -> tuple[tuple[int, int], ...]:
    found = [_DAY.fullmatch(day) for day in given.split(",")]
    if any(day is None or (day[1] and int(day[1]) == 0) for day in found):
        raise BadRule("BYDAY must be weekdays like MO, or 1MO for the first and -1FR for the last.")
    return tuple(sorted({(int(day[1] or 0), WEEKDAYS.index(day[2])) for day in found if day}))


def _weekday(name: str, given: str) -> int:
    if given not in WEEKDAYS:
        raise BadRule(f"{name} must be one of {', '.join(WEEKDAYS)}.")
    return WEEKDAYS.index(given)


def _until(name: str, given: str) -> date | datetime:
    found = _UNTIL.fullmatch(given) if given.isascii() else None
    try:
        if found and found[2]:
            moment = datetime.fromisoformat(found[1] + found[2].rstrip("Z"))
            return moment.replace(tzinfo=UTC) if given.endswith("Z") else moment
        if found:
            return date.fromisoformat(found[1])
    except ValueError:
        pass
    raise BadRule("UNTIL must be a date like 20261231, or a time like 20261231T090000Z.")


_READERS: dict[str, tuple[str, Callable[[str, str], object]]] = {
    "INTERVAL": ("interval", _number),
    "BYDAY": ("by_day", _days),
    "BYMONTHDAY": ("by_month_day", _numbers(-31, 31)),
    "BYMONTH": ("by_month", _numbers(1, 12)),
    "BYSETPOS": ("by_set_pos", _numbers(-366, 366)),
    "COUNT": ("count", _number),
    "UNTIL": ("until", _until),
    "WKST": ("week_start", _weekday),
}
