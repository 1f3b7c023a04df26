"""docs/filters.md: every example on the page is understood, and every refusal is the one that it shows."""

import re
from datetime import date
from pathlib import Path

import pytest

from fastier.search.faults import FilterFault
from fastier.search.parser import LONGEST_FILTER, MOST_TERMS, parse_filter, parse_search
from fastier.search.syntax import Says, leaves
from fastier.search.terms import WORDS

PAGE = (Path(__file__).parents[2] / "docs" / "filters.md").read_text()
TODAY = date(2026, 11, 23)


def _rows(heading: str) -> list[tuple[list[str], str]]:
    """The examples of each row of the tables under a heading, and what the row says of them."""
    part = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \| (.*) \|$", part, re.MULTILINE)
    return [
        ([example.replace("\\|", "|") for example in re.findall(r"`(.*?)`(?=,|$| )", left)], right)
        for left, right in rows
    ]


_GOOD = [(example, says) for heading in ("Terms", "Together") for left, says in _rows(heading) for example in left]
_FAULTS = [(example, says) for example, says in _GOOD if says.startswith("Column")]
_MEANT = [example for example, says in _GOOD if not says.startswith("Column")]


@pytest.mark.parametrize("example", _MEANT)
def test_every_example_is_understood(example: str) -> None:
    parse_filter(example, TODAY)


@pytest.mark.parametrize(("example", "says"), _FAULTS)
def test_every_refusal_is_the_one_that_is_shown(example: str, says: str) -> None:
    with pytest.raises(FilterFault) as caught:
        parse_filter(example, TODAY)
    assert caught.value.as_problem("filter").detail.startswith(says)


@pytest.mark.parametrize(("example", "says"), [(left[0], says) for left, says in _rows("Search")])
def test_every_search_looks_for_what_it_says(example: str, says: str) -> None:
    kinds = [type(leaf) for leaf in leaves(parse_search(example, TODAY).node)]
    assert kinds[0] is Says
    assert (len(kinds) > 1) == ("among" in says)


def test_the_page_has_every_word_of_the_language() -> None:
    told = {example.lower() for example in _MEANT}
    others = {"over due", "no due date", "no tag", "no label", "completed", "view all"}
    assert set(WORDS) <= told | others
    assert len(_FAULTS) >= 4


def test_the_page_tells_the_limits() -> None:
    assert f"{LONGEST_FILTER:,} characters, {MOST_TERMS} terms" in PAGE
