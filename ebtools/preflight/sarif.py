"""Writes a report as SARIF 2.1.0, which forges show beside the code."""

import json
from typing import Any
from urllib.parse import quote

from ebtools.preflight.engine import Report, Result
from ebtools.preflight.findings import Finding, Rule

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def document(report: Report) -> str:
    """One run of one tool, with every rule that was asked."""
    places = {rule.id: index for index, rule in enumerate(report.rules)}
    run = {
        "tool": {"driver": {"name": "ebtools preflight", "rules": [_rule(rule) for rule in report.rules]}},
        "results": [_result(result, finding, places) for result, finding in report.findings],
        "invocations": [_invocation(report)],
        "columnKind": "unicodeCodePoints",
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.mend},
        "defaultConfiguration": {"level": rule.severity},
    }


def _result(result: Result, finding: Finding, places: dict[str, int]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ruleId": result.rule.id,
        "ruleIndex": places[result.rule.id],
        "level": result.rule.severity,
        "message": {"text": f"{finding.message}. {finding.mend or result.rule.mend}"},
        "properties": {"configurations": list(result.configurations)},
    }
    if finding.file:
        found["locations"] = [{"physicalLocation": _place(finding)}]
    return found


def _place(finding: Finding) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(finding.file)}}
    if finding.line:
        place["region"] = {"startLine": finding.line}
    return place


def _invocation(report: Report) -> dict[str, Any]:
    notes = [
        {
            "level": "note" if result.rule.id in report.allowed else "error",
            "message": {"text": f"not run: {outcome.reason}"},
            "associatedRule": {"id": result.rule.id},
        }
        for result, outcome in report.not_run
    ]
    return {"executionSuccessful": all(note["level"] == "note" for note in notes), "toolExecutionNotifications": notes}
