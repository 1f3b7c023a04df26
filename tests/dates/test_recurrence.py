"""When a recurring item is due again: month ends, leap days, clock changes, zones, and rules that are used up."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastier.dates.recurrence import Next, Recurring, after_done
from fastier.dates.zones import day_of, moment_of


def _next(
    rrule: str,
    due: str,
    now: str,
    *,
    mode: str = "schedule",
    at: str | None = None,
    zone: str = "UTC",
) -> Next | None:
    """The next date of something due on `due`, done at `now` in UTC."""
    item = Recurring(
        rrule,
        "schedule" if mode == "schedule" else "completion",
        date.fromisoformat(due),
        time.fromisoformat(at) if at else None,
        zone,
    )
    return after_done(item, datetime.fromisoformat(now).replace(tzinfo=UTC))


def _day(*arguments: str, **more: str) -> str | None:
    found = _next(*arguments, **more)
    return found.day.isoformat() if found else None


@pytest.mark.parametrize(
    ("rrule", "due", "expected"),
    [
        ("FREQ=DAILY", "2026-01-31", "2026-02-01"),
        ("FREQ=WEEKLY", "2026-12-28", "2027-01-04"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR", "2026-06-05", "2026-06-15"),
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "2026-06-05", "2026-06-08"),
        ("FREQ=MONTHLY", "2026-01-15", "2026-02-15"),
        # As RFC 5545 says: months without a 31st are left out; the last day of each is -1.
        ("FREQ=MONTHLY", "2026-01-31", "2026-03-31"),
        ("FREQ=MONTHLY;BYMONTHDAY=31", "2026-03-31", "2026-05-31"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "2026-01-31", "2026-02-28"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "2028-01-31", "2028-02-29"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "2026-02-28", "2026-03-31"),
        # The 31st, or the last day where there is none.
        ("FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", "2026-02-28", "2026-03-31"),
        ("FREQ=MONTHLY;BYMONTHDAY=30", "2026-01-30", "2026-03-30"),
        ("FREQ=MONTHLY;BYDAY=3FR", "2026-01-16", "2026-02-20"),
        ("FREQ=MONTHLY;BYDAY=-1MO", "2026-01-26", "2026-02-23"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "2026-01-30", "2026-02-27"),
        ("FREQ=MONTHLY;INTERVAL=3", "2026-11-30", "2027-05-30"),
        ("FREQ=YEARLY", "2028-02-29", "2032-02-29"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", "2028-02-29", "2029-02-28"),
        ("FREQ=YEARLY", "2096-02-29", "2104-02-29"),
        ("FREQ=YEARLY;BYMONTH=1,7;BYMONTHDAY=1", "2026-01-01", "2026-07-01"),
        ("FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "2026-10-25", "2027-10-31"),
    ],
)
def test_what_is_done_before_its_day_goes_to_the_next_day_of_its_rule(rrule: str, due: str, expected: str) -> None:
    assert _day(rrule, due, "2025-06-01T12:00") == expected


@pytest.mark.parametrize(
    ("rrule", "due", "now", "expected"),
    [
        # What was missed is left out; today is done.
        ("FREQ=DAILY", "2026-06-01", "2026-06-10T12:00", "2026-06-11"),
        ("FREQ=DAILY", "2026-06-10", "2026-06-10T12:00", "2026-06-11"),
        ("FREQ=DAILY", "2026-06-12", "2026-06-10T12:00", "2026-06-13"),
        ("FREQ=DAILY;INTERVAL=3", "2026-06-01", "2026-06-10T12:00", "2026-06-13"),
        ("FREQ=WEEKLY", "2026-06-01", "2026-06-10T12:00", "2026-06-15"),
        ("FREQ=MONTHLY", "2025-01-31", "2026-06-10T12:00", "2026-07-31"),
        ("FREQ=DAILY", "0001-01-01", "2026-06-10T12:00", "2026-06-11"),
    ],
)
def test_what_is_late_goes_to_the_first_day_that_is_still_ahead(rrule: str, due: str, now: str, expected: str) -> None:
    assert _day(rrule, due, now) == expected


def test_a_time_that_is_still_ahead_today_is_not_left_out() -> None:
    assert _day("FREQ=DAILY", "2026-06-09", "2026-06-10T12:00", at="18:00") == "2026-06-10"
    assert _day("FREQ=DAILY", "2026-06-09", "2026-06-10T12:00", at="12:00") == "2026-06-11"
    # Nine in the morning of the 11th in Tokyo is midnight in UTC.
    assert _day("FREQ=DAILY", "2026-06-09", "2026-06-10T23:59", at="09:00", zone="Asia/Tokyo") == "2026-06-11"
    assert _day("FREQ=DAILY", "2026-06-09", "2026-06-11T00:00", at="09:00", zone="Asia/Tokyo") == "2026-06-12"


@pytest.mark.parametrize(
    ("zone", "expected"), [("UTC", "2026-06-11"), ("Pacific/Kiritimati", "2026-06-12"), ("Pacific/Niue", "2026-06-10")]
)
def test_today_is_the_one_of_the_zone(zone: str, expected: str) -> None:
    assert _day("FREQ=DAILY", "2026-06-01", "2026-06-10T10:30", zone=zone) == expected


@pytest.mark.parametrize(
    ("rrule", "now", "expected"),
    [
        ("FREQ=DAILY;INTERVAL=3", "2026-06-10T12:00", "2026-06-13"),
        ("FREQ=WEEKLY", "2026-06-10T12:00", "2026-06-17"),
        ("FREQ=WEEKLY;BYDAY=MO", "2026-06-10T12:00", "2026-06-15"),
        # A month after the 31st is the last day of the next one.
        ("FREQ=MONTHLY", "2026-01-31T12:00", "2026-02-28"),
        ("FREQ=MONTHLY", "2028-01-31T12:00", "2028-02-29"),
        ("FREQ=YEARLY", "2028-02-29T12:00", "2029-02-28"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "2026-01-31T12:00", "2026-02-28"),
        # Counted from a January, every twelfth month is never a March.
        ("FREQ=MONTHLY;INTERVAL=12;BYMONTH=3;BYMONTHDAY=1", "2026-01-31T12:00", "2026-03-01"),
    ],
)
def test_after_completion_is_counted_from_the_day_on_which_it_was_done(rrule: str, now: str, expected: str) -> None:
    for due in ("2020-05-05", "2030-05-05"):
        assert _day(rrule, due, now, mode="completion") == expected


def test_a_count_is_how_often_is_left() -> None:
    second = _next("FREQ=DAILY;COUNT=3;INTERVAL=1", "2026-06-01", "2025-01-01")
    assert second == Next(date(2026, 6, 2), "FREQ=DAILY;COUNT=2;INTERVAL=1")
    third = _next(second.rrule, "2026-06-02", "2025-01-01")
    assert third == Next(date(2026, 6, 3), "FREQ=DAILY;COUNT=1;INTERVAL=1")
    assert _next(third.rrule, "2026-06-03", "2025-01-01") is None
    assert _next("FREQ=DAILY;COUNT=2", "2026-06-01", "2026-06-01", mode="completion") == Next(
        date(2026, 6, 2), "FREQ=DAILY;COUNT=1"
    )
    assert _next("FREQ=DAILY;COUNT=1", "2026-06-01", "2026-06-01", mode="completion") is None


def test_what_was_missed_counts() -> None:
    late = _next("FREQ=DAILY;COUNT=10", "2026-06-01", "2026-06-05T12:00")
    assert late == Next(date(2026, 6, 6), "FREQ=DAILY;COUNT=5")
    assert _next("FREQ=DAILY;COUNT=5", "2026-06-01", "2026-06-05T12:00") is None
    assert _next("FREQ=DAILY;COUNT=5", "2026-06-01", "2030-06-05T12:00") is None


@pytest.mark.parametrize(
    ("until", "due", "expected"),
    [
        ("20260610", "2026-06-09", "2026-06-10"),
        ("20260610", "2026-06-10", None),
        ("20260610T073000Z", "2026-06-09", "2026-06-10"),
        ("20260610T072959Z", "2026-06-09", None),
        ("20260610T093000", "2026-06-09", "2026-06-10"),
        ("20260610T092959", "2026-06-09", None),
    ],
)
def test_until_is_the_last_day_or_the_last_moment(until: str, due: str, expected: str | None) -> None:
    """Half past nine in Berlin is half past seven in UTC."""
    found = _day(f"FREQ=DAILY;UNTIL={until}", due, "2025-01-01", at="09:30", zone="Europe/Berlin")
    assert found == expected


@pytest.mark.parametrize(
    ("day", "at", "zone", "expected"),
    [
        ("2026-03-28", "02:30", "Europe/Berlin", "2026-03-28T01:30"),
        # Clocks go from 2 to 3: half past two comes an hour later, at half past three.
        ("2026-03-29", "02:30", "Europe/Berlin", "2026-03-29T01:30"),
        ("2026-03-30", "02:30", "Europe/Berlin", "2026-03-30T00:30"),
        # Clocks go from 3 to 2: the first half past two.
        ("2026-10-25", "02:30", "Europe/Berlin", "2026-10-25T00:30"),
        ("2026-10-26", "02:30", "Europe/Berlin", "2026-10-26T01:30"),
        ("2026-03-08", "02:30", "America/New_York", "2026-03-08T07:30"),
        ("2026-11-01", "01:30", "America/New_York", "2026-11-01T05:30"),
        # Half an hour only, on the other side of the world.
        ("2026-10-04", "02:15", "Australia/Lord_Howe", "2026-10-03T15:45"),
        # A day that Samoa never had.
        ("2011-12-30", "12:00", "Pacific/Apia", "2011-12-30T22:00"),
        ("0001-01-01", "00:00", "Asia/Tokyo", "0001-01-01T00:00"),
        ("9999-12-31", "23:00", "America/New_York", "9999-12-31T23:59:59.999999"),
    ],
)
def test_a_wall_clock_time_is_one_moment(day: str, at: str, zone: str, expected: str) -> None:
    moment = moment_of(date.fromisoformat(day), time.fromisoformat(at), zone)
    assert moment == datetime.fromisoformat(expected).replace(tzinfo=UTC)


ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu")


@settings(max_examples=200, deadline=None)
@given(
    due=st.dates(date(1990, 1, 1), date(2060, 1, 1)),
    at=st.none() | st.times().map(lambda at: at.replace(second=0, microsecond=0, fold=0)),
    zone=st.sampled_from(ZONES),
    now=st.datetimes(datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2060-01-01")),
    rrule=st.sampled_from(["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=TU,SA", "FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=YEARLY"]),
    mode=st.sampled_from(["schedule", "completion"]),
)
def test_the_next_date_is_later_than_the_last_and_still_ahead(
    due: date, at: time | None, zone: str, now: datetime, rrule: str, mode: str
) -> None:
    moment = now.replace(tzinfo=UTC)
    found = after_done(Recurring(rrule, "schedule" if mode == "schedule" else "completion", due, at, zone), moment)
    assert found is not None
    today = day_of(moment, zone)
    if mode == "completion":
        assert found.day > today
        return
    assert found.day > due
    assert moment_of(found.day, at, zone) > moment if at else found.day > today
    # The one before it was not ahead, or was not later than the last.
    earlier = found.day - timedelta(days=1)
    if rrule == "FREQ=DAILY" and earlier > due:
        assert moment_of(earlier, at, zone) <= moment if at else earlier <= today
