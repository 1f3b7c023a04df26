"""Draws an act: requests in each second by what came of them, how long they took, and which instance ran what."""

import math
from html import escape

from ebtools.rehearse.record import Act, Span
from ebtools.rehearse.summary import Second, by_second

WIDTH, LEFT, RIGHT = 1000, 58, 10
RATE_HEIGHT, LATENCY_HEIGHT, LANE_HEIGHT = 130, 90, 16
TOP, GAP = 18, 26
SHORTEST, LONGEST = 0.001, 10.0
_TICKS = ((0.001, "1 ms"), (0.01, "10 ms"), (0.1, "100 ms"), (1.0, "1 s"), (10.0, "10 s"))
_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#9d755d", "#72b7b2")
_INK = "--ink:#1b1f24;--line:#d8dbe2;--good:#2e9e6b;--refused:#d9a441;--failed:#cf3f4f;--mark:#5a67d8;--faint:#667"
_OPACITY = {"in service": 1.0, "starting": 0.35, "draining": 0.6, "failed": 0.15}


def chart(act: Act) -> str:
    """An SVG picture; everything it shows stands in the tables too."""
    seconds = by_second(act.exchanges)
    until = max(act.seconds, 1.0)
    versions = list(dict.fromkeys(span.version for span in act.spans))
    lanes = sorted({span.instance for span in act.spans}, key=lambda name: (len(name), name))
    latency_top = TOP + RATE_HEIGHT + GAP
    lanes_top = latency_top + LATENCY_HEIGHT + GAP
    height = lanes_top + len(lanes) * LANE_HEIGHT + 44
    parts = [
        *_rates(seconds, until),
        *_latencies(seconds, until, latency_top),
        *_lanes(act.spans, lanes, versions, until, lanes_top),
        *_times(until, height - 26),
        *_legend(versions, height - 8),
        *_marks(act, until, lanes_top + len(lanes) * LANE_HEIGHT),
    ]
    label = escape(f"{act.sent} requests over {act.seconds:.0f} seconds, {act.failed} failed, {act.refused} refused")
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def standalone(act: Act) -> str:
    """The same as a file of its own, with its colours in it."""
    style = f"<style>:root{{{_INK}}}text{{fill:#667;font:11px sans-serif}}svg{{background:#fff}}</style>"
    head, _, rest = chart(act).partition(">")
    return f'{head} xmlns="http://www.w3.org/2000/svg">{style}{rest}\n'


def _x(moment: float, until: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * min(max(moment, 0.0), until) / until


def _rates(seconds: list[Second], until: float) -> list[str]:
    most = max((second.sent for second in seconds), default=1) or 1
    parts = _scale([(TOP + RATE_HEIGHT * (1 - share), f"{most * share:.0f}/s") for share in (0, 0.5, 1)])
    width = (WIDTH - LEFT - RIGHT) / until
    for second in seconds:
        below = 0
        for count, colour in ((second.good, "good"), (second.refused, "refused"), (second.failed, "failed")):
            tall = RATE_HEIGHT * count / most
            top = TOP + RATE_HEIGHT * (1 - below / most) - tall
            below += count
            if count:
                parts.append(
                    f'<rect x="{_x(second.second, until):.1f}" y="{top:.1f}" width="{max(width - 0.6, 0.6):.2f}" '
                    f'height="{max(tall, 1.5 if colour == "failed" else 0.3):.1f}" fill="var(--{colour})"/>'
                )
    return parts


def _latencies(seconds: list[Second], until: float, top: float) -> list[str]:
    def y(took: float) -> float:
        share = math.log(min(max(took, SHORTEST), LONGEST) / SHORTEST) / math.log(LONGEST / SHORTEST)
        return top + LATENCY_HEIGHT * (1 - share)

    parts = _scale(
        [
            (y(took), name)
            for took, name in ((0.001, "1 ms"), (0.01, "10 ms"), (0.1, "100 ms"), (1, "1 s"), (10, "10 s"))
        ]
    )
    for name, dash in (("p50", ""), ("p99", ' stroke-dasharray="4 2"')):
        known = [
            (second.second + 0.5, getattr(second, name)) for second in seconds if getattr(second, name) is not None
        ]
        points = " ".join(f"{_x(moment, until):.1f},{y(took):.1f}" for moment, took in known)
        parts.append(f'<polyline points="{points}" fill="none" stroke="var(--ink)" stroke-width="1.2"{dash}/>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{top - 5}" text-anchor="end">p50, and p99 dashed</text>')
    return parts


def _scale(ticks: list[tuple[float, str]]) -> list[str]:
    return [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--line)"/>'
        f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{name}</text>'
        for y, name in ticks
    ]


def _lanes(spans: list[Span], lanes: list[str], versions: list[str], until: float, top: float) -> list[str]:
    parts = []
    for number, name in enumerate(lanes):
        y = top + number * LANE_HEIGHT
        parts.append(f'<text x="{LEFT - 6}" y="{y + 11}" text-anchor="end">{escape(name)}</text>')
        for span in (one for one in spans if one.instance == name):
            colour = _COLOURS[versions.index(span.version) % len(_COLOURS)]
            parts.append(_lane(span, colour, _x(span.since, until), _x(span.until, until), y))
    return parts


def _lane(span: Span, colour: str, left: float, right: float, y: float) -> str:
    edge = "var(--failed)" if span.state == "failed" else colour
    told = f"{span.instance}: {span.version}, {span.state}, {span.since:.1f} to {span.until:.1f} s"
    return (
        f'<rect x="{left:.1f}" y="{y + 2}" width="{max(right - left, 1):.1f}" height="{LANE_HEIGHT - 5}" rx="2" '
        f'fill="{colour}" fill-opacity="{_OPACITY.get(span.state, 0.5)}" stroke="{edge}">'
        f"<title>{escape(told)}</title></rect>"
    )


def _times(until: float, y: float) -> list[str]:
    step = next(step for step in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 3600) if until / step <= 15 or step == 3600)
    return [
        f'<text x="{_x(moment, until):.1f}" y="{y:.1f}" text-anchor="middle">{moment} s</text>'
        for moment in range(0, int(until) + 1, step)
    ]


def _legend(versions: list[str], y: float) -> list[str]:
    entries = [("answered well", "var(--good)"), ("refused in order", "var(--refused)"), ("failed", "var(--failed)")]
    entries += [(name, _COLOURS[number % len(_COLOURS)]) for number, name in enumerate(versions)]
    entries.append(("pale: starting, draining or failed", "none"))
    parts, x = [], float(LEFT)
    for name, colour in entries:
        parts.append(
            f'<rect x="{x:.0f}" y="{y - 9:.0f}" width="10" height="10" fill="{colour}" stroke="var(--faint)"/>'
        )
        parts.append(f'<text x="{x + 14:.0f}" y="{y:.0f}">{escape(name)}</text>')
        x += 30 + 6.2 * len(name)
    return parts


def _marks(act: Act, until: float, bottom: float) -> list[str]:
    """A line for each moment with its number in the list below; numbers that would overlap are left out."""
    parts, last = [], -100.0
    for number, moment in enumerate(act.moments, 1):
        x = _x(moment.at, until)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}" stroke="var(--mark)" stroke-opacity="0.45"/>'
        )
        if x - last >= 20:
            parts.append(f'<text x="{x:.1f}" y="{TOP - 5}" text-anchor="middle" fill="var(--mark)">{number}</text>')
            last = x
    return parts
