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
    failed = len(scene.failed)
    return [Check("failed requests", "0", f"{failed:,} failed", failed == 0), all_healthy(stage)]
