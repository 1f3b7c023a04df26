"""The terms of the filter language that are words: days, states, people, and what to search for."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from fastier.search.faults import FilterFault
from fastier.search.syntax import (
    AssignedTo,
    Created,
    Done,
    Due,
    Everything,
    Leaf,
    NoDate,
    NoTags,
    Priority,
    Recurring,
    Says,
    Subtask,
)
from fastier.search.tokens import Word
from fastier.search.words import words_of

_DAY = timedelta(days=1)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
_DAYS = re.compile(r"(?:next )?(\d{1,4}) days?")
_IN_DAYS = re.compile(r"(?:in )?([+-]?\d{1,4}) days?")
_WITH_COLON = re.compile(
    r"(due before|due after|due|date before|date after|date|created before|created after|created|assigned to|search)"
    r" ?: ?(.*)",
    re.DOTALL,
)
_EXPECTED_DAY = "Expected a day: 2026-12-01, today, tomorrow, yesterday or 3 days"


@dataclass(slots=True)
class Reading:
    """The day on which a filter is read, and whether that made a difference."""

    today: date
    is_relative: bool = False

    def day(self, offset: int = 0) -> date:
        self.is_relative = True
        return self.today + timedelta(days=offset)


# What is said without a value; each is made when it is read, since some depend on the day.
WORDS: dict[str, Callable[[Reading], Leaf]] = {
    "today": lambda reading: _on(reading.day()),
    "tomorrow": lambda reading: _on(reading.day(1)),
    "yesterday": lambda reading: _on(reading.day(-1)),
    "overdue": lambda reading: Due(None, reading.day()),
    "over due": lambda reading: Due(None, reading.day()),
    "no date": lambda _: NoDate(),
    "no due date": lambda _: NoDate(),
    "no priority": lambda _: Priority(4),
    "no labels": lambda _: NoTags(),
    "no label": lambda _: NoTags(),
    "no tags": lambda _: NoTags(),
    "no tag": lambda _: NoTags(),
    "done": lambda _: Done(),
    "completed": lambda _: Done(),
    "all": lambda _: Everything(),
    "view all": lambda _: Everything(),
    "assigned": lambda _: AssignedTo("anybody"),
    "subtask": lambda _: Subtask(),
    "recurring": lambda _: Recurring(),
}


def term_of(words: list[Word], reading: Reading, *, only_with_colon: bool) -> Leaf | None:
    """The term that these words are, or None; FilterFault when its value is none of the kind that it takes."""
    text = " ".join(word.text for word in words)
    if (found := _WITH_COLON.fullmatch(text.lower())) and _is_unquoted(words, found.end(1)):
        value = text[found.start(2) :] if len(text) == len(text.lower()) else found[2]
        return _valued(found[1], value.strip(), words, reading)
    if only_with_colon or not all(word.is_plain for word in words):
        return None
    text = text.lower()
    if text in WORDS:
        return WORDS[text](reading)
    if days := _DAYS.fullmatch(text):
        return Due(reading.day(), reading.day(int(days[1])))
    return None


def _is_unquoted(words: list[Word], length: int) -> bool:
    """Whether the first `length` characters are those of the language, not quoted ones that look like it."""
    plain = [mark for word in words for mark in (*word.plain, True)]
    return all(plain[: length + 1])


def _valued(name: str, value: str, words: list[Word], reading: Reading) -> Leaf:
    start = _start_of_value(words)
    if name == "search":
        if not (searched := words_of(value)):
            raise FilterFault(start, "Expected a word to search for, with a letter or a digit")
        return Says(tuple(searched))
    if name == "assigned to":
        return _assigned(value, start)
    kind, _, side = name.partition(" ")
    day = _day(value, start, reading)
    if kind == "created":
        # The viewer's clock says when a day begins, and it goes with them.
        reading.is_relative = True
    first, end = _range(day, side)
    return Created(first, end) if kind == "created" else Due(first, end)


def _start_of_value(words: list[Word]) -> int:
    for number, word in enumerate(words):
        if ":" in word.text:
            at = word.text.index(":") + 1
            if at < len(word.text):
                return word.start + at
            return words[number + 1].start if number + 1 < len(words) else word.end
    return words[0].start


def _assigned(value: str, start: int) -> AssignedTo:
    if not value:
        raise FilterFault(start, "Expected me, others, or a member's name or address")
    match value.lower():
        case "me":
            return AssignedTo("me")
        case "others":
            return AssignedTo("others")
    return AssignedTo(None, value)


def _day(value: str, start: int, reading: Reading) -> date:
    named = {"today": 0, "tomorrow": 1, "yesterday": -1}
    value = value.lower()
    if value in named:
        return reading.day(named[value])
    if days := _IN_DAYS.fullmatch(value):
        return reading.day(int(days[1]))
    try:
        if _ISO.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        raise FilterFault(start, f"There is no day {value}") from None
    raise FilterFault(start, _EXPECTED_DAY)


def _on(day: date) -> Due:
    return Due(*_range(day, ""))


def _range(day: date, side: str) -> tuple[date | None, date | None]:
    if side == "before":
        return None, day
    after = day + _DAY if day < date.max else None
    return (after or day, None) if side == "after" else (day, after)
