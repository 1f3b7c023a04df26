"""The filter language: what is written becomes the tree that is meant, and a fault names its column."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastier.search.faults import FilterFault
from fastier.search.parser import LONGEST_FILTER, parse_filter, parse_search
from fastier.search.syntax import And, AssignedTo, Due, Named, Not, Or, Priority, Says

TODAY = date(2026, 11, 23)
P1, P2, P3 = Priority(1), Priority(2), Priority(3)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("p1 | p2 & p3", Or((P1, And((P2, P3))))),
        ("(p1 | p2) & p3", And((Or((P1, P2)), P3))),
        ("!p1 & p2", And((Not(P1), P2))),
        ("!!p1", Not(Not(P1))),
        ("P1 p2", And((P1, P2))),
        ("p1 (p2 | p3)", And((P1, Or((P2, P3))))),
        ("TODAY", Due(TODAY, date(2026, 11, 24))),
        ("next 7 days", Due(TODAY, date(2026, 11, 30))),
        ("due before: 3 days", Due(None, date(2026, 11, 26))),
        ("due: 9999-12-31", Due(date(9999, 12, 31), None)),
        ("due after:2026-12-01", Due(date(2026, 12, 2), None)),
        ("@a\\ b", Named("tag", "a b")),
        ('@"a b"', Named("tag", "a b")),
        ("@a\\*", Named("tag", "a*")),
        ("@a*", Named("tag", "a\x00")),
        ("##Work", Named("list", "Work")),
        ("/Next\\ week", Named("section", "Next week")),
        ("search: buy @home p1", Says(("buy", "home", "p1"))),
        ("assigned to: Anna B", AssignedTo(None, "Anna B")),
        ("Assigned To: ME p1", And((AssignedTo("me"), P1))),
    ],
)
def test_a_filter_means_what_it_says(written: str, meant: object) -> None:
    assert parse_filter(written, TODAY).node == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("buy milk", Says(("buy", "milk"))),
        ("today", Says(("today",))),
        ("today & p1", And((Due(TODAY, date(2026, 11, 24)), P1))),
        ('"today" & p1', And((Says(("today",)), P1))),
        ("invoice & p1 @work", And((Says(("invoice",)), P1, Named("tag", "work")))),
        ("invoice p1 paid", And((Says(("invoice",)), P1, Says(("paid",))))),
        ("a | !b", Or((Says(("a",)), Not(Says(("b",)))))),
        ("bob@example.com", Says(("bob", "example", "com"))),
        ("milk, eggs", Says(("milk", "eggs"))),
        ("due before: 2026-12-01", Due(None, date(2026, 12, 1))),
        ("Überraschung!", Says(("uberraschung",))),
    ],
)
def test_a_search_is_words_with_terms_among_them(written: str, meant: object) -> None:
    assert parse_search(written, TODAY).node == meant


@pytest.mark.parametrize(
    ("written", "column", "detail"),
    [
        ("", 1, "Expected a term"),
        ("p1 &", 5, "Expected a term"),
        ("p1 & & p2", 6, "Expected a term such as today"),
        ("| p1", 1, "not |"),
        ("p1 & (p2", 6, "not closed"),
        ("p1)", 3, "closes nothing"),
        ("p1 & soon", 6, '"soon" is no term'),
        ("p1, p2", 3, "use |"),
        ("today, p1", 6, "use |"),
        ("due before: soon", 13, "Expected a day"),
        ("due before:", 12, "Expected a day"),
        ("p1 & due: 2026-02-30", 11, "no day 2026-02-30"),
        ("assigned to:", 13, "Expected me"),
        ("search: -", 9, "Expected a word"),
        ('p1 & "open', 6, "does not end"),
        ("@", 1, "is no term"),
        ("##", 1, "Expected a name"),
        ("#My list", 5, '"list" is no term'),
        ("p" * (LONGEST_FILTER + 1), LONGEST_FILTER + 1, "at most"),
        ("p1 " * 51, 151, "at most 50 terms"),
        ("(" * 21 + "p1" + ")" * 21, 21, "nested 20 deep"),
        ("!" * 21 + "p1", 21, "nested 20 deep"),
    ],
)
def test_a_fault_names_its_column_and_what_was_expected(written: str, column: int, detail: str) -> None:
    with pytest.raises(FilterFault) as caught:
        parse_filter(written, TODAY)
    assert caught.value.start + 1 == column
    assert detail in caught.value.detail


def test_only_what_speaks_of_time_depends_on_the_day() -> None:
    for written, expected in (
        ("p1", False),
        ("due before: 2026-12-01", False),
        ("p1 | today", True),
        ("!overdue", True),
    ):
        assert parse_filter(written, TODAY).is_relative is expected


@given(st.one_of(st.text(max_size=80), st.text(alphabet='p1@#/ &|!()\\"*:,today', max_size=80)))
def test_no_text_breaks_the_parser(written: str) -> None:
    for parse in (parse_filter, parse_search):
        start = 0
        try:
            parse(written, TODAY)
        except FilterFault as fault:
            start = fault.start
        assert 0 <= start <= len(written)
