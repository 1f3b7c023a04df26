"""Puts what a rehearsal has shown into the documentation: a table of all acts, and the picture of one."""

from pathlib import Path

from ebtools.rehearse.chart import standalone
from ebtools.rehearse.record import Act, Rehearsal
from ebtools.rehearse.summary import quantile

START, END = "<!-- rehearsal:start -->", "<!-- rehearsal:end -->"
PICTURED = "rolling"
PICTURE = "rehearsal.svg"


def write(found: Rehearsal, docs: Path) -> None:
    """Replace what stands between the marks of docs/rehearsal.md, and the picture beside it."""
    pictured = next((act for act in found.acts if act.name == PICTURED), found.acts[0])
    (docs / PICTURE).write_text(standalone(pictured))
    path = docs / "rehearsal.md"
    before, rest = path.read_text().split(START)
    path.write_text(f"{before}{START}\n{_part(found, pictured)}\n{END}{rest.split(END)[1]}")


def _part(found: Rehearsal, pictured: Act) -> str:
    about = found.about
    lines = [
        "## What it showed",
        "",
        f"Played on {about['date']} by `{about['command']}`: {about['machine']}, which everything shared; "
        f"{about['instances']} instances, {about['load']}, waits {about['waits']}; Python {about['python']}, gunicorn "
        f"{about['gunicorn']}, HAProxy {about['haproxy']}, nginx {about['nginx']}.",
        "",
        "| act | | requests | failed | refused | p99 | what it showed |",
        "|---|---|---:|---:|---:|---:|---|",
        *(_row(act) for act in found.acts),
        "",
        f"{pictured.title}:",
        "",
        f"![Requests, latencies and instances by the second]({PICTURE})",
    ]
    return "\n".join(lines)


def _row(act: Act) -> str:
    took = quantile([one.took for one in act.exchanges if one.outcome == "good"], 0.99)
    late = f"{took * 1000:.0f} ms" if took is not None else ""
    verdict = "ok" if act.passed else "**failed**"
    shown = act.shown.replace("|", "/")
    return f"| {act.name} | {verdict} | {act.sent:,} | {act.failed:,} | {act.refused:,} | {late} | {shown} |"
