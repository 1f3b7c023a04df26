"""Faults of S3, which may touch attachments and nothing else."""

from collections.abc import Callable
from functools import partial

from ebtools.rehearse.attached import Attached
from ebtools.rehearse.record import Check
from ebtools.rehearse.stage import Scene, Stage, fault
from ebtools.rehearse.summary import quantile
from ebtools.rehearse.verdicts import nothing_failed

SLOW_SECONDS = 10.0
OUTAGE_SECONDS = 60.0
# Two seconds of waiting for a turn, and two attempts of at most three seconds with a pause of one between them.
PATIENCE_SECONDS = 10.0


def _slow_files(stage: Stage) -> None:
    stage.files.slow(SLOW_SECONDS)


def _refuse_files(stage: Stage) -> None:
    stage.files.refuse()


def _cut_files(stage: Stage) -> None:
    stage.files_node.unplug()


def _break_files(break_it: Callable[[Stage], None], stage: Stage) -> None:
    attached = Attached(stage)
    attached.upload()
    break_it(stage)
    stage.journal.moment("fault", "S3 is broken")
    attached.complete_for(OUTAGE_SECONDS * stage.pace.scale + 4)
    stage.files_node.plug()
    stage.files.mend()
    stage.journal.moment("fault", "S3 is whole again")
    stage.facts["mended"] = float(attached.can_be_completed(stage.pace.checks_within + 3 * SLOW_SECONDS))


def _files_alone(stage: Stage, scene: Scene) -> list[Check]:
    answers = {name: int(count) for name, count in scene.facts.items() if name.startswith("status")}
    orderly = bool(answers) and set(answers) <= {"status 200", "status 503"}
    told = ", ".join(f"{count} × {name.removeprefix('status ')}" for name, count in sorted(answers.items()))
    mended = bool(scene.facts.get("mended"))
    worst = scene.facts["worst"]
    late = quantile([one.took for one in scene.exchanges], 0.99) or 0.0
    return [
        Check("everything else", "as fast as ever: p99 within 1 s", f"p99 {late * 1000:.0f} ms", late < 1),
        Check(
            "attachments meanwhile",
            f"200 or 503 within {PATIENCE_SECONDS:.0f} s",
            f"{told}, at most {worst:.1f} s",
            orderly and worst <= PATIENCE_SECONDS,
        ),
        Check("attachments afterwards", "work again", "work" if mended else "do not work", mended),
        *nothing_failed(stage, scene),
    ]


SCRIPTS = (
    fault("files slow", "S3 is slow", partial(_break_files, _slow_files), _files_alone, is_own=True),
    fault("files refuse", "S3 refuses connections", partial(_break_files, _refuse_files), _files_alone, is_own=True),
    fault(
        "files gone", "S3 is cut off, and nobody is told", partial(_break_files, _cut_files), _files_alone, is_own=True
    ),
)
