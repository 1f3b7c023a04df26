"""Sums exchanges up by the second, for the reports and for the checks of an act."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ebtools.rehearse.record import Exchange

# What a person waits for.
PATIENCE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Second:
    """The requests that were due in one second; p50 and p99 are seconds until a good answer, None without one."""

    second: int
    sent: int
    good: int
    refused: int
    failed: int
    p50: float | None
    p99: float | None


def by_second(exchanges: Iterable[Exchange]) -> list[Second]:
    """Every second from 0 to the last in which a request was due, those in which none was due too."""
    groups: dict[int, list[Exchange]] = {}
    for exchange in exchanges:
        groups.setdefault(max(0, math.floor(exchange.due)), []).append(exchange)
    return [_second(number, groups.get(number, [])) for number in range(max(groups, default=-1) + 1)]


def _second(number: int, exchanges: Sequence[Exchange]) -> Second:
    took = [exchange.took for exchange in exchanges if exchange.outcome == "good"]
    refused = sum(exchange.outcome == "refused" for exchange in exchanges)
    return Second(
        second=number,
        sent=len(exchanges),
        good=len(took),
        refused=refused,
        failed=len(exchanges) - len(took) - refused,
        p50=quantile(took, 0.5),
        p99=quantile(took, 0.99),
    )


def quantile(values: Iterable[float], part: float) -> float | None:
    """The smallest of the values that at least such a part of them (0 to 1) does not exceed; None for no values."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[max(0, math.ceil(len(ordered) * part) - 1)]


def goodput(exchanges: Iterable[Exchange], since: float, until: float) -> float:
    """Good answers a second of what was due in that time, as far as people would still have waited for them."""
    due = (one for one in exchanges if since <= one.due < until)
    good = sum(1 for one in due if one.outcome == "good" and one.took <= PATIENCE_SECONDS)
    return good / max(until - since, 0.1)
