"""The days of a rule are those that dateutil finds, from any start and any day on."""

from datetime import date, datetime, time, timedelta
from itertools import islice, takewhile

from dateutil.rrule import rrulestr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastier.dates.occurrences import occurrences
from fastier.dates.rules import WEEKDAYS, Rule, parse

# dateutil takes its time, day by day.
WINDOW = timedelta(days=1200)
SHOWN = 12


def _numbers(lowest: int, highest: int, size: int) -> st.SearchStrategy[str]:
    numbers = st.integers(lowest, highest).filter(bool)
    return st.lists(numbers, min_size=1, max_size=size, unique=True).map(lambda found: ",".join(map(str, found)))


@st.composite
def rules(draw: st.DrawFn) -> str:
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = {"FREQ": frequency, "INTERVAL": str(draw(st.integers(1, 5)))}
    names = draw(st.sets(st.sampled_from(["BYMONTH", "BYMONTHDAY", "BYDAY", "BYSETPOS", "WKST"])))
    if "BYMONTH" in names:
        parts["BYMONTH"] = draw(_numbers(1, 12, 6))
    if "BYMONTHDAY" in names and frequency != "WEEKLY":
        parts["BYMONTHDAY"] = draw(_numbers(-31, 31, 8))
    if "BYDAY" in names:
        days = draw(st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=4, unique=True))
        # dateutil takes only the days that are both when some have a position and others none; RFC 5545 takes either.
        has_positions = frequency in ("MONTHLY", "YEARLY") and draw(st.booleans())
        places = [str(draw(st.sampled_from([1, 2, 4, 5, -1, -2]))) if has_positions else "" for _ in days]
        parts["BYDAY"] = ",".join(place + day for place, day in zip(places, days, strict=True))
    if "BYSETPOS" in names and parts.keys() & {"BYMONTH", "BYMONTHDAY", "BYDAY"}:
        parts["BYSETPOS"] = draw(_numbers(-5, 5, 3))
    if "WKST" in names:
        parts["WKST"] = draw(st.sampled_from(WEEKDAYS))
    return ";".join(f"{name}={value}" for name, value in parts.items())


def _begin(rule: Rule, start: date) -> date:
    """Where dateutil is to begin: it counts BYSETPOS from there on, where RFC 5545 counts it in whole weeks."""
    if rule.frequency == "WEEKLY" and rule.by_set_pos and rule.by_day:
        return start - timedelta(days=(start.weekday() - rule.week_start) % 7)
    return start


@settings(max_examples=100, deadline=None)
@given(
    rule=rules(),
    start=st.dates(date(1996, 1, 1), date(2032, 12, 31)),
    skipped=st.integers(-3, 900),
)
@example("FREQ=WEEKLY;BYDAY=MO,TU,WE;BYSETPOS=2", date(2000, 1, 5), -3)
def test_the_days_are_those_of_dateutil(rule: str, start: date, skipped: int) -> None:
    after = start + timedelta(days=skipped)
    end = after + WINDOW
    begin = datetime.combine(_begin(parse(rule), start), time.min)
    expected = [
        moment.date()
        for moment in rrulestr(rule, dtstart=begin).between(
            datetime.combine(after, time.min), datetime.combine(end, time.min)
        )
        if moment.date() >= start
    ]
    found = takewhile(lambda day: day < end, occurrences(parse(rule), start, after))
    assert list(islice(found, SHOWN)) == expected[:SHOWN]


def test_a_start_long_ago_costs_nothing_and_keeps_its_rhythm() -> None:
    fortnightly = occurrences(parse("FREQ=WEEKLY;INTERVAL=2"), date(1, 1, 1), date(2026, 7, 1))
    day = next(fortnightly)
    assert (day - date(1, 1, 1)).days % 14 == 0
    assert timedelta(0) < day - date(2026, 7, 1) <= timedelta(days=14)


def test_the_calendar_ends() -> None:
    assert list(occurrences(parse("FREQ=DAILY"), date(9999, 12, 30), date(9999, 12, 30))) == [date.max]
    assert list(occurrences(parse("FREQ=YEARLY"), date(9998, 5, 1), date(9998, 5, 1))) == [date(9999, 5, 1)]
    assert list(occurrences(parse("FREQ=MONTHLY"), date.max, date.max)) == []
    assert next(occurrences(parse("FREQ=WEEKLY;WKST=SU"), date.min, date.min)) == date(1, 1, 8)


def test_weekdays_with_and_without_a_position_are_taken_together() -> None:
    days = occurrences(parse("FREQ=MONTHLY;BYDAY=1MO,FR"), date(2026, 6, 1), date(2026, 5, 31))
    assert list(islice(days, 3)) == [date(2026, 6, 1), date(2026, 6, 5), date(2026, 6, 12)]
