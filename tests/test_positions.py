"""Order keys: always between, never used up, and in the order of revisions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastier import positions

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
keys = st.text(DIGITS, min_size=1, max_size=12).filter(lambda key: not key.endswith("0"))
revisions = st.integers(1, 10**12)


@given(keys, keys)
def test_a_key_between_two_is_between_them_bytewise(one: str, other: str) -> None:
    low, high = sorted((one, other), key=str.encode)
    if low == high:
        with pytest.raises(ValueError, match="in order"):
            positions.between(low, high)
        return
    key = positions.between(low, high)
    assert low.encode() < key.encode() < high.encode()
    assert not key.endswith("0")


@given(revisions, revisions)
def test_later_revisions_end_lower_and_higher_than_earlier_ones(one: int, other: int) -> None:
    earlier, later = sorted((one, other))
    assert positions.first(later) <= positions.first(earlier) < positions.last(earlier) <= positions.last(later)


@given(revisions, st.integers(0, 200_000), st.integers(0, 200_000))
def test_the_rows_of_one_write_are_in_their_order(revision: int, one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert positions.last(revision, low) <= positions.last(revision, high) < positions.last(revision + 1)


@given(st.lists(st.booleans(), min_size=1, max_size=300))
def test_halving_one_gap_again_and_again_stays_in_order(sides: list[bool]) -> None:
    low, high = positions.last(1), positions.last(2)
    for upper in sides:
        middle = positions.between(low, high)
        assert low < middle < high
        low, high = (middle, high) if upper else (low, middle)


@given(st.integers(0, 400))
def test_spread_keys_are_in_order_and_short(count: int) -> None:
    low, high = positions.last(1), positions.last(2)
    spread = positions.spread(low, high, count)
    assert len(spread) == count
    assert [low, *spread, high] == sorted({low, *spread, high})
    assert all(len(key) < 20 for key in spread)
