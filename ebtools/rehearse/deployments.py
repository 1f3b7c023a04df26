"""The acts in which a version is deployed: each policy, a failure under each, and what mends it."""

from functools import partial

from ebtools.rehearse.blue_green import blue_green
from ebtools.rehearse.fleet import DeploymentStopped
from ebtools.rehearse.policies import POLICIES, ROLL_BACK, Deployment
from ebtools.rehearse.record import Check
from ebtools.rehearse.stage import Scene, Script, Stage
from ebtools.rehearse.verdicts import all_answered
from ebtools.rehearse.versions import FAULTS, OWN_FAULTS, STOPPING, Version

TITLES = {
    "all at once": "All at once: every instance in place at the same time",
    "rolling": "Rolling: batch after batch, out of the load balancer meanwhile",
    "additional batch": "Rolling with an additional batch: capacity never sinks",
    "immutable": "Immutable: new instances, and the old ones end when all are well",
    "traffic splitting": "Traffic splitting: a part of the requests goes to new instances first",
    "blue green": "Blue/green: a second environment, and the name is swapped",
}


def scripts() -> dict[str, Script]:
    """Each act that deploys, by its name."""
    found = {name: _success(name) for name in TITLES}
    for name in TITLES:
        for fault in STOPPING if name in ROLL_BACK else ("late hook",):
            script = _failure(name, fault)
            found[script.name] = script
    return found


def _deployment(name: str, stage: Stage) -> None:
    """Deploy the stage's version as this policy does."""
    if name == "blue green":
        blue_green(stage, stage.version)
    else:
        deploy: Deployment = POLICIES[name]
        deploy(stage.fleet, stage.version)


def _success(name: str) -> Script:
    def run(stage: Stage) -> None:
        stage.version = stage.versions.next(*(FAULTS[fault] for fault in stage.planted))
        stage.journal.moment("deploy", f"{stage.version.name} is deployed, with a migration of its own")
        _deployment(name, stage)

    checks = _gap if name == "all at once" else _nothing_failed
    return Script(name, TITLES[name], "policy", run, checks, is_long=name != "all at once")


def _nothing_failed(stage: Stage, scene: Scene) -> list[Check]:
    sent = len(scene.exchanges)
    enough = Check("requests", f"at least {stage.requests:,}", f"{sent:,}", sent >= stage.requests)
    return [*all_answered(scene), enough, _arrived(stage, stage.version, scene)]


def _gap(stage: Stage, scene: Scene) -> list[Check]:
    """What this policy costs, which nobody promised away."""
    late = sorted(one.due for one in scene.failed)
    gap = late[-1] - late[0] if late else 0.0
    found = f"{len(late):,} of {len(scene.exchanges):,} failed within {gap:.1f} s"
    return [Check("the gap", "measured", found, bool(scene.exchanges)), _arrived(stage, stage.version, scene)]


def _arrived(stage: Stage, version: Version, scene: Scene) -> Check:
    running = {member.name: member.version.name for member in stage.fleet.members}
    is_there = not scene.failure and set(running.values()) == {version.name} and len(running) == stage.pace.instances
    told = scene.failure or ", ".join(f"{name} {which}" for name, which in sorted(running.items()))
    return Check("versions", f"{stage.pace.instances} instances with {version.name}", told, is_there)


def _failure(name: str, fault: str) -> Script:
    """A version that cannot be deployed: undone by the policy itself, or left, and mended by deploying once more."""

    def run(stage: Stage) -> None:
        before = stage.version
        stage.version = stage.versions.next(FAULTS[fault])
        stage.journal.moment("fault", f"{stage.version.name} is deployed, with a planted fault: {fault}")
        try:
            _deployment(name, stage)
        except DeploymentStopped as error:
            stage.facts["stopped"] = 1
            stage.journal.moment("deploy", str(error))
        if name in ROLL_BACK:
            stage.version = before
        else:
            _mend(name, stage)

    title = f"{TITLES[name].partition(':')[0]}, and the new version fails: {fault}"
    is_own = fault in OWN_FAULTS
    return Script(f"{name} fails at {fault}", title, "policy", run, partial(_undone, name), is_own=is_own)


def _mend(name: str, stage: Stage) -> None:
    """What the platform leaves is a mixed fleet, or one with instances that are down: the next deployment ends that."""
    mixed = {member.name: member.version.name for member in stage.fleet.members}
    stage.journal.moment("deploy", f"left: {', '.join(f'{one} {which}' for one, which in sorted(mixed.items()))}")
    stage.version = stage.versions.next(has_migration=False)
    stage.journal.moment("deploy", f"{stage.version.name} is deployed to mend it")
    _deployment(name, stage)


def _undone(name: str, stage: Stage, scene: Scene) -> list[Check]:
    stopped = Check(
        "the deployment",
        "stopped",
        "stopped" if scene.facts.get("stopped") else "succeeded",
        bool(scene.facts.get("stopped")),
    )
    checks = [stopped, _arrived(stage, stage.version, scene)]
    if name in ROLL_BACK:
        return [*all_answered(scene), *checks]
    return checks
