"""Order keys: strings whose bytewise order is the order of things, so that a move writes one row.

The revision that each write takes makes a key that is above, or below, every key made before it, without reading any
of them. Between two neighbours a key is found by halving, and grows by a character for about six halvings of one gap.
"""

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE = len(_DIGITS)
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_REVISION_WIDTH = 7
_INDEX_WIDTH = 3
_HIGHEST_REVISION = _BASE**_REVISION_WIDTH - 1

# Above this length a gap has been halved some 500 times; its neighbourhood is then spread out again.
LONGEST = 100


def _encode(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, _BASE)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def last(revision: int, index: int = 0) -> str:
    """A key above all keys of earlier revisions; `index` (0 … 238,327) orders the rows of one write."""
    return f"n{_encode(revision, _REVISION_WIDTH)}{_encode(index, _INDEX_WIDTH)}V"


def first(revision: int) -> str:
    """A key below all keys of earlier revisions."""
    return f"g{_encode(_HIGHEST_REVISION - revision, _REVISION_WIDTH)}V"


def between(low: str, high: str) -> str:
    """A short key strictly between two keys; ValueError unless low < high and neither ends with the lowest digit."""
    if not low < high or low.endswith("0") or high.endswith("0"):
        raise ValueError("not two keys in order")
    shared = 0
    while shared < len(low) and low[shared] == high[shared]:
        shared += 1
    return high[:shared] + _halve(low[shared:], high[shared:])


def _halve(low: str, high: str | None) -> str:
    """A key between two that differ in their first digit; `high` None is the end of the digits."""
    floor = _VALUES[low[0]] if low else 0
    ceiling = _VALUES[high[0]] if high else _BASE
    if ceiling - floor > 1:
        return _DIGITS[(floor + ceiling) // 2]
    if high and len(high) > 1 and ceiling > floor:
        # The digit of `high` alone is below `high` and above `low`.
        return high[0] if high[0] != "0" else high[0] + _halve("", high[1:])
    if high and ceiling == floor:
        return high[0] + _halve(low[1:], high[1:])
    return _DIGITS[floor] + _halve(low[1:], None)


def spread(low: str, high: str, count: int) -> list[str]:
    """`count` keys in order strictly between two keys, as short as halving allows."""
    if count <= 0:
        return []
    middle = between(low, high)
    left = (count - 1) // 2
    return [*spread(low, middle, left), middle, *spread(middle, high, count - 1 - left)]
