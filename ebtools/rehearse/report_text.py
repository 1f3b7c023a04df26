"""The rehearsal in the terminal: a line for each moment while it plays, and one screen at its end."""

import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ebtools.rehearse.record import Act, Moment, Rehearsal
from ebtools.rehearse.summary import quantile

WIDTH = 100
MOST_CAUSES = 3


@dataclass(frozen=True, slots=True)
class Colours:
    """Escape sequences, or nothing where a program reads."""

    good: str = ""
    bad: str = ""
    faint: str = ""
    end: str = ""

    @staticmethod
    def of(output: TextIO) -> "Colours":
        if not output.isatty() or os.environ.get("NO_COLOR"):
            return Colours()
        return Colours("\033[32m", "\033[31m", "\033[2m", "\033[0m")


class Progress:
    """Tells what happens as it happens."""

    def __init__(self, output: TextIO) -> None:
        self.output = output
        self.colours = Colours.of(output)
        self.began = time.monotonic()

    def begin(self, title: str) -> None:
        print(f"\n{title}", file=self.output, flush=True)

    def moment(self, moment: Moment) -> None:
        faint, end = self.colours.faint, self.colours.end
        # In one piece, as several instances tell of themselves at once.
        self.output.write(f"  {faint}{moment.at:6.1f} s  {moment.text}{end}\n")
        self.output.flush()

    def end(self, act: Act) -> None:
        mark = f"{self.colours.good}ok" if act.passed else f"{self.colours.bad}FAILED"
        print(f"  {mark}{self.colours.end}: {_counts(act)}", file=self.output, flush=True)
        for line in _faults(act):
            print(f"    {line}", file=self.output, flush=True)


def screen(found: Rehearsal, page: Path, output: TextIO) -> str:
    """The end of a rehearsal on one screen: a line for each act, and more only where one failed."""
    colours = Colours.of(output)
    wide = max((len(act.name) for act in found.acts), default=0)
    lines = [f"       {'act':{wide}} {'requests':>9} {'failed':>7} {'refused':>8} {'p99':>8}  what it showed"]
    for act in found.acts:
        colour = colours.good if act.passed else colours.bad
        verdict = "ok    " if act.passed else "FAILED"
        took = quantile([one.took for one in act.exchanges if one.outcome == "good"], 0.99)
        late = f"{took * 1000:.0f} ms" if took is not None else ""
        line = f"{act.name:{wide}} {act.sent:>9,} {act.failed:>7,} {act.refused:>8,} {late:>8}  {act.shown}"
        lines.append(f"{colour}{verdict}{colours.end} {line}"[: WIDTH + 40])
        lines += [f"         {fault}" for fault in _faults(act)]
    lines.append(f"not imitated: {'; '.join(found.not_imitated)}")
    lines.append(f"waits are {found.about['waits']}; the picture is in {page}")
    lines.append(f"{colours.good}passed{colours.end}" if found.passed else f"{colours.bad}FAILED{colours.end}")
    return "\n".join(lines)


def _counts(act: Act) -> str:
    return f"{act.sent:,} requests, {act.failed:,} failed, {act.refused:,} refused in {act.seconds:.0f} s"


def _faults(act: Act) -> list[str]:
    """What was wanted and not found, and why requests failed, the commonest causes first."""
    lines = [act.error] if act.error else []
    lines += [f"{check.name}: {check.wanted}, but {check.found}" for check in act.checks if not check.passed]
    if not act.passed:
        causes = Counter(one.cause for one in act.exchanges if one.outcome == "failed")
        lines += [f"{count:,} × {cause}" for cause, count in causes.most_common(MOST_CAUSES)]
    if act.logs:
        lines.append(f"its logs are in {act.logs} beside the report")
    return lines
