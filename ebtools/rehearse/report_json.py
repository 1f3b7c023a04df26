"""The rehearsal for a program: good requests as the figures of each second, all others one by one."""

from dataclasses import asdict
from typing import Any

from ebtools.rehearse.record import Act, Rehearsal
from ebtools.rehearse.summary import by_second

FORMAT = 1


def document(found: Rehearsal) -> dict[str, Any]:
    """What `json.dumps` takes; `format` changes when a reader would have to."""
    return {
        "format": FORMAT,
        "passed": found.passed,
        "about": found.about,
        "not_imitated": found.not_imitated,
        "acts": [_act(act) for act in found.acts],
    }


def _act(act: Act) -> dict[str, Any]:
    return {
        "name": act.name,
        "title": act.title,
        "kind": act.kind,
        "seconds": act.seconds,
        "passed": act.passed,
        "error": act.error,
        "logs": act.logs,
        "sent": act.sent,
        "failed": act.failed,
        "refused": act.refused,
        "checks": [asdict(check) for check in act.checks],
        "moments": [asdict(moment) for moment in act.moments],
        "spans": [asdict(span) for span in act.spans],
        "by_second": [asdict(second) for second in by_second(act.exchanges)],
        "not_good": [asdict(one) for one in act.exchanges if one.outcome != "good"],
    }
