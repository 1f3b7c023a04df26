"""The rehearsal as one page that needs nothing else: a verdict, and for each act its time line, checks and failures."""

from collections.abc import Iterable
from html import escape

from ebtools.rehearse.chart import chart
from ebtools.rehearse.record import Act, Exchange, Rehearsal
from ebtools.rehearse.summary import quantile

MOST_ROWS = 200

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --faint: #667; --line: #d8dbe2; --paper: #fff; --panel: #f6f7f9;
  --good: #2e9e6b; --refused: #d9a441; --failed: #cf3f4f; --mark: #5a67d8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaee; --faint: #9aa3b2; --line: #343a46; --paper: #14171c;
  --panel: #1c2027; --good: #4cc38a; --refused: #e2b65c; --failed: #f0616f; --mark: #8b95f0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem 1rem 4rem; color: var(--ink); background: var(--paper);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 0; }
a { color: inherit; }
.faint { color: var(--faint); } .ok { color: var(--good); } .bad { color: var(--failed); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; color: var(--faint); font-size: .85rem; } .shown { min-width: 16rem; } .name { min-width: 8rem; }
td.n, th.n { text-align: right; white-space: nowrap; }
section { margin-top: 2rem; padding: 1rem; background: var(--panel); border: 1px solid var(--line); border-radius: 10px;
  break-inside: avoid; }
svg { width: 100%; height: auto; display: block; margin: .5rem 0; }
svg text { fill: var(--faint); font: 11px system-ui, sans-serif; }
ol { columns: 2 22rem; margin: .5rem 0; padding-left: 1.6rem; font-size: .85rem; color: var(--faint); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 1rem 0; }
dt { color: var(--faint); }
dd { margin: 0; }
"""


def page(found: Rehearsal) -> str:
    """The whole document."""
    verdict = '<span class="ok">passed</span>' if found.passed else '<span class="bad">failed</span>'
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in found.about.items())
    rows = "".join(_summary(number, act) for number, act in enumerate(found.acts))
    left_out = "".join(f"<li>{escape(one)}</li>" for one in found.not_imitated)
    acts = "\n".join(_act(number, act) for number, act in enumerate(found.acts))
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Rehearsal of {escape(found.about.get("date", ""))}</title><style>{_STYLE}</style>
<h1>The rehearsal {verdict}</h1>
<p class="faint">What users would have seen while this bundle was deployed, scaled and broken.</p>
<div class="scroll"><table><thead><tr><th>Act<th>Verdict<th class="n">Requests<th class="n">Failed<th class="n">Refused
<th class="n">p50<th class="n">p99<th>What it showed</thead><tbody>{rows}</tbody></table></div>
<dl>{facts}</dl><p class="faint">Not imitated:</p><ul class="faint">{left_out}</ul>
{acts}
</html>
"""


def _summary(number: int, act: Act) -> str:
    return (
        f'<tr><td class="name"><a href="#act-{number}">{escape(act.name)}</a><td>{_verdict(act.passed)}'
        f'<td class="n">{act.sent:,}<td class="n">{act.failed:,}<td class="n">{act.refused:,}'
        f'<td class="n">{_latency(act, 0.5)}<td class="n">{_latency(act, 0.99)}<td class="shown">{escape(act.shown)}'
    )


def _verdict(passed: bool) -> str:
    return '<span class="ok">ok</span>' if passed else '<span class="bad">failed</span>'


def _latency(act: Act, part: float) -> str:
    found = quantile([one.took for one in act.exchanges if one.outcome == "good"], part)
    return "" if found is None else f"{found * 1000:.0f} ms"


def _act(number: int, act: Act) -> str:
    moments = "".join(f"<li>{moment.at:.1f} s: {escape(moment.text)}</li>" for moment in act.moments)
    checks = "".join(
        f"<tr><td>{escape(check.name)}<td>{escape(check.wanted)}<td>{escape(check.found)}<td>{_verdict(check.passed)}"
        for check in act.checks
    )
    error = f'<p class="bad">{escape(act.error)}</p>' if act.error else ""
    logs = f'<p><a href="{escape(act.logs)}">Logs of all parts</a></p>' if act.logs else ""
    return f"""<section id="act-{number}"><h2>{escape(act.title)} &mdash; {_verdict(act.passed)}</h2>{error}{logs}
{chart(act) if act.exchanges else ""}<ol>{moments}</ol>
<div class="scroll"><table><thead><tr><th>Check<th>Wanted<th>Found<th></thead><tbody>{checks}</tbody></table></div>
{_failures([one for one in act.exchanges if one.outcome == "failed"])}</section>"""


def _failures(failed: list[Exchange]) -> str:
    if not failed:
        return ""
    rows = "".join(_failure(one) for one in failed[:MOST_ROWS])
    more = f'<p class="faint">and {len(failed) - MOST_ROWS:,} more</p>' if len(failed) > MOST_ROWS else ""
    return f"""<details><summary>{len(failed):,} requests failed</summary><div class="scroll"><table>
<thead><tr><th class="n">Due<th class="n">Took<th>Request<th class="n">Status<th>Cause</thead><tbody>{rows}</tbody>
</table></div>{more}</details>"""


def _failure(one: Exchange) -> str:
    cells: Iterable[str] = (f"{one.due:.2f} s", f"{one.took:.2f} s")
    numbers = "".join(f'<td class="n">{cell}' for cell in cells)
    request = f"{escape(one.method)} {escape(one.path)}"
    return f'<tr>{numbers}<td>{request}<td class="n">{one.status or ""}<td>{escape(one.cause)}'
