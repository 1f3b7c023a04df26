"""The grammar of recurrence rules: what is understood, and how the rest is refused."""

from datetime import UTC, date, datetime

import pytest

from fastier.dates.recurrence import check
from fastier.dates.rules import BadRule, Rule, canonical, parse

START = date(2026, 1, 6)


def test_every_part_is_read() -> None:
    rule = parse("FREQ=MONTHLY;INTERVAL=2;BYMONTH=3,1;BYMONTHDAY=-1,15;BYDAY=MO,-1FR;BYSETPOS=1;COUNT=9;WKST=SU")
    assert rule == Rule(
        "MONTHLY",
        interval=2,
        count=9,
        by_month=(1, 3),
        by_month_day=(-1, 15),
        by_day=((-1, 4), (0, 0)),
        by_set_pos=(1,),
        week_start=6,
    )


@pytest.mark.parametrize(
    ("written", "until"),
    [
        ("20261231", date(2026, 12, 31)),
        ("20261231T093000", datetime.fromisoformat("2026-12-31T09:30")),
        ("20261231T093000Z", datetime(2026, 12, 31, 9, 30, tzinfo=UTC)),
    ],
)
def test_until_is_a_date_or_a_time(written: str, until: date) -> None:
    assert parse(f"FREQ=DAILY;UNTIL={written}").until == until


def test_a_rule_from_a_calendar_file_is_taken_as_it_stands_there() -> None:
    assert canonical(" RRULE:freq=daily;interval=2; ") == "FREQ=DAILY;INTERVAL=2"


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "DAILY",
        "FREQ=",
        "INTERVAL=2",
        "FREQ=SECONDLY",
        "FREQ=HOURLY",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;INTERVAL=1000",
        "FREQ=DAILY;INTERVAL=" + "9" * 200,
        "FREQ=DAILY;INTERVAL=٣",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=2;UNTIL=20261231",
        "FREQ=DAILY;UNTIL=20261331",
        "FREQ=DAILY;UNTIL=2026-12-31",
        "FREQ=DAILY;BYHOUR=9",
        "FREQ=YEARLY;BYWEEKNO=3",
        "FREQ=YEARLY;BYYEARDAY=100",
        "FREQ=DAILY;BYMONTH=13",
        "FREQ=DAILY;BYMONTH=0",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=WEEKLY;BYMONTHDAY=1",
        "FREQ=WEEKLY;BYDAY=1MO",
        "FREQ=MONTHLY;BYDAY=6MO",
        "FREQ=YEARLY;BYDAY=54MO",
        "FREQ=MONTHLY;BYDAY=0MO",
        "FREQ=MONTHLY;BYDAY=XX",
        "FREQ=MONTHLY;BYSETPOS=1",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=400",
        "FREQ=DAILY;WKST=1",
        "FREQ=DAILY;" + "BYMONTH=1," * 60 + "1",
        # On no day at all; dateutil looks for each of these until the year 9999.
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
        "FREQ=MONTHLY;BYMONTHDAY=1;BYDAY=5MO",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTH=2",
        "FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=300",
        "FREQ=YEARLY;INTERVAL=51",
    ],
)
def test_what_is_not_understood_or_never_comes_is_refused(rule: str) -> None:
    with pytest.raises(BadRule, match=r"\w"):
        check(rule, START)


def test_rules_that_come_rarely_are_taken() -> None:
    check("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", START)
    check("FREQ=DAILY;INTERVAL=999", START)
    check("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=SU", START)
    check("FREQ=DAILY", date.max)
    check("FREQ=DAILY", date.min)
