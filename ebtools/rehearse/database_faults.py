"""Faults of the database: a crash, a failover, silence, and a password that is changed."""

import time

from ebtools.rehearse.record import Check
from ebtools.rehearse.stage import Scene, Stage, fault
from ebtools.rehearse.verdicts import all_healthy, nothing_failed

# What the database's clients give up after: connecting 2 s, then the server's silence 5.3 s and a spare.
LONGEST_ANSWER = 10.0
OUTAGE_SECONDS = 60.0
FIRST_SUCCESS_SECONDS = 1.0
# A rotation ends no session: each signs in again when it is made anew. Ended all at once, those of all instances would
# sign in on the two cores that they share here.
SIGNING_IN_SECONDS = 4.0


def _restart(stage: Stage) -> None:
    stage.journal.moment("fault", "the database crashes")
    stage.facts["gone"] = stage.load.now()
    stage.database.restart()
    _is_back(stage)


def _fail_over(stage: Stage) -> None:
    stage.journal.moment("fault", "the primary is gone")
    stage.facts["gone"] = stage.load.now()
    took = stage.database.failover(OUTAGE_SECONDS * stage.pace.scale, stage.move_database)
    stage.journal.moment("fault", f"the standby serves after {took:.1f} s")
    _is_back(stage)
    stage.database.rebuild_standby()


def _silence(stage: Stage) -> None:
    node = next(node for node in stage.database_nodes if node.address == stage.database.address)
    node.unplug()
    stage.facts["gone"] = stage.load.now()
    stage.journal.moment("fault", "the database falls silent")
    time.sleep(LONGEST_ANSWER)
    node.plug()
    stage.journal.moment("fault", "the database can be reached")
    _is_back(stage)


def _is_back(stage: Stage) -> None:
    stage.facts["back"] = stage.load.now()
    stage.journal.moment("fault", "the database answers")
    time.sleep(4)


def _outage_survived(stage: Stage, scene: Scene) -> list[Check]:
    gone, back = scene.facts["gone"], scene.facts["back"]
    writes = [one for one in scene.exchanges if one.outcome == "good" and one.method != "GET"]
    after = [one.due + one.took for one in writes if one.due >= gone and one.due + one.took > back]
    first = min(after, default=float("inf")) - back
    slowest = max((one.took for one in scene.exchanges), default=0.0)
    failed = len(scene.failed)
    return [
        Check(
            "first success",
            f"within {FIRST_SUCCESS_SECONDS:g} s",
            f"after {first:.2f} s",
            first < FIRST_SUCCESS_SECONDS,
        ),
        Check("while it is gone", "503 with Retry-After, nothing else", f"{failed:,} failed otherwise", failed == 0),
        Check("slowest answer", f"within {LONGEST_ANSWER:g} s", f"{slowest:.1f} s", slowest <= LONGEST_ANSWER),
        all_healthy(stage),
    ]


def _rotate(stage: Stage) -> None:
    password = f"{time.time_ns():x}-rotated"
    stage.database.rotate_password(password)
    stage.secrets.rotate(stage.secret, "ebroot", password)
    stage.journal.moment("fault", "the password is another one")
    # Whoever is connected stays so; new connections must find the new password.
    stage.database.disconnect(within=SIGNING_IN_SECONDS)
    stage.journal.moment("fault", "every session was ended, one after the other, so that all had to sign in again")
    time.sleep(3)


SCRIPTS = (
    fault("database restarted", "The database crashes and starts again", _restart, _outage_survived, is_own=True),
    fault("failover", "The database fails over to its standby", _fail_over, _outage_survived, is_own=True),
    fault("database silent", "The database is cut off, and nobody is told", _silence, _outage_survived, is_own=True),
    fault("password rotated", "The database's password is changed", _rotate, nothing_failed, is_own=True),
)
