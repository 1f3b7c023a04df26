"""Shows what was found: to people, grouped by file, and to programs as JSON."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TextIO

from ebtools.preflight.engine import Report, Result
from ebtools.preflight.findings import Finding, Rule

_COLOURS = {"error": "31;1", "warning": "33", "file": "1", "fine": "32"}


@dataclass(frozen=True, slots=True)
class Style:
    """Whether what is printed is coloured."""

    has_colour: bool = False

    @classmethod
    def of(cls, stream: TextIO) -> "Style":
        """Colour on a terminal, unless NO_COLOR is set."""
        return cls(stream.isatty() and not os.environ.get("NO_COLOR"))

    def paint(self, text: str, kind: str) -> str:
        return f"\033[{_COLOURS[kind]}m{text}\033[0m" if self.has_colour else text


def as_text(report: Report, archive: str, style: Style) -> str:
    """A line for each finding, then why and how to mend it once for each rule, then the counts."""
    lines: list[str] = []
    for file, group in groupby(report.findings, key=lambda pair: pair[1].file):
        lines.append(style.paint(file or archive, "file"))
        lines += [_line(result, finding, report, archive, style) for result, finding in group]
        lines.append("")
    for rule in _rules(report):
        lines += [f"{style.paint(rule.id, rule.severity)}: {rule.why}", f"    {rule.mend}", ""]
    lines += [_not_run(result, outcome.reason, report, style) for result, outcome in report.not_run]
    return "\n".join([*lines, *_summary(report, archive, style)])


def _line(result: Result, finding: Finding, report: Report, archive: str, style: Style) -> str:
    where = f"{finding.file or archive}:{finding.line}" if finding.line else finding.file or archive
    severity = style.paint(result.rule.severity, result.rule.severity)
    mend = f" ({finding.mend})" if finding.mend else ""
    return f"  {where}: {severity} {result.rule.id}: {finding.message}{mend}{_names(result, report)}"


def _names(result: Result, report: Report) -> str:
    """The configurations in which it holds, unless it holds in all."""
    return "" if len(result.configurations) == len(report.ran) else f" [{', '.join(result.configurations)}]"


def _not_run(result: Result, reason: str, report: Report, style: Style) -> str:
    note = "allowed" if result.rule.id in report.allowed else "counts as a failure"
    return f"{style.paint('not run', 'warning')} {result.rule.id}: {reason} ({note}){_names(result, report)}"


def _rules(report: Report) -> list[Rule]:
    return list({result.rule.id: result.rule for result, _ in report.findings}.values())


def _summary(report: Report, archive: str, style: Style) -> list[str]:
    errors, warnings = report.count("error"), report.count("warning")
    counts = f"{_plural(errors, 'error')}, {_plural(warnings, 'warning')}, {len(report.not_run)} not run"
    ran = ", ".join(f"{count} rules for {name}" for name, count in report.ran.items())
    return [style.paint(f"{archive}: {counts}", "fine" if report.is_clean else "error"), f"ran {ran}"]


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def as_json(report: Report, archive: str) -> str:
    """The same for a program; docs/preflight.md describes the shape."""
    return json.dumps(
        {
            "archive": archive,
            "is_clean": report.is_clean,
            "errors": report.count("error"),
            "warnings": report.count("warning"),
            "rules_ran": report.ran,
            "findings": [_as_object(result, finding) for result, finding in report.findings],
            "not_run": [
                {
                    "rule": result.rule.id,
                    "reason": outcome.reason,
                    "is_allowed": result.rule.id in report.allowed,
                    "configurations": list(result.configurations),
                }
                for result, outcome in report.not_run
            ],
        },
        indent=2,
    )


def _as_object(result: Result, finding: Finding) -> dict[str, object]:
    return {
        "rule": result.rule.id,
        "severity": result.rule.severity,
        "file": finding.file or None,
        "line": finding.line or None,
        "message": finding.message,
        "why": result.rule.why,
        "mend": finding.mend or result.rule.mend,
        "configurations": list(result.configurations),
    }


def explanation(rule: Rule) -> str:
    """All that a rule says of itself."""
    return f"{rule.id} ({rule.severity}): {rule.title}\n\nWhy: {rule.why}\nMend: {rule.mend}"


def listed(rules: Sequence[Rule]) -> list[str]:
    """A line for each rule, by its id."""
    width = max((len(rule.id) for rule in rules), default=0)
    return [f"{rule.id:<{width}}  {rule.severity:<7}  {rule.title}" for rule in sorted(rules, key=lambda one: one.id)]
