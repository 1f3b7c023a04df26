"""What several acts must show of the requests and of the environment."""

import contextlib

from ebtools.rehearse.balancer import BalancerError
from ebtools.rehearse.record import Check
from ebtools.rehearse.stage import Scene, Stage


def all_healthy(stage: Stage) -> Check:
    names = [member.name for member in stage.fleet.members]
    with contextlib.suppress(BalancerError):
        stage.balancer.wait_healthy("main", names, stage.pace.checks_within)
    states = stage.balancer.health("main")
    found = ", ".join(f"{name} {states.get(name, 'gone')}" for name in names)
    is_well = len(names) == stage.pace.instances and all(states.get(name) == "healthy" for name in names)
    return Check("afterwards", f"all of {stage.pace.instances} healthy", found, is_well)


def nothing_failed(stage: Stage, scene: Scene) -> list[Check]:
    return [*all_answered(scene), all_healthy(stage)]


def all_answered(scene: Scene) -> list[Check]:
    """Where nobody is to notice anything, who is told to come again has been failed as well."""
    failed, refused = len(scene.failed), len(scene.refused)
    return [
        Check("failed requests", "0", f"{failed:,}", failed == 0),
        Check("refused requests", "0", f"{refused:,}", refused == 0),
    ]
