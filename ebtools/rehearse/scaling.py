"""Replays the package's scaling policy against what was measured: when an instance comes, and who waits until then."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ebtools.preflight.case import Case
from ebtools.rehearse.pace import GROUP
from ebtools.rehearse.record import Check
from ebtools.rehearse.stage import Scene, Script, Stage
from ebtools.rehearse.summary import goodput

METRIC = "ALBRequestCountPerTarget"
# CloudWatch tells the load of each minute; a target-tracking alarm wants three of them above the target.
PERIOD, PERIODS = 60, 3
# What EC2 needs from the launch to the platform's first step, which nothing here can measure.
BOOT_SECONDS = 90.0
SATURATION = 4
HOURS = 2
# How much faster the load may grow than anybody has seen it grow: twice as much within half an hour.
STEADY_SECONDS, SUDDEN = 1800, 3.0


@dataclass(frozen=True, slots=True)
class Tracking:
    """A target-tracking policy on requests: a minute's requests of a target, and the group's bounds."""

    target: float
    least: int
    most: int
    warm_up: float


@dataclass(slots=True)
class Replay:
    """What would have happened: when instances were asked for and served, and requests beyond what could be."""

    asked: list[float] = field(default_factory=list)
    served: list[float] = field(default_factory=list)
    refused: float = 0.0
    offered: float = 0.0


def tracking(case: Case) -> Tracking | None:
    """The policy of the bundle's own, or None when it has no such one."""
    for extension in case.extensions:
        for resource in extension.resources.values():
            properties = resource.get("Properties", {})
            wanted = properties.get("TargetTrackingConfiguration", {})
            metric = wanted.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType")
            if metric == METRIC:
                most = case.number(GROUP, "MaxSize", 4)
                warm_up = float(properties.get("EstimatedInstanceWarmup", 300))
                return Tracking(float(wanted["TargetValue"]), case.number(GROUP, "MinSize", 1), most, warm_up)
    return None


def replay(policy: Tracking, capacity: float, ready: float, arrivals: Callable[[int], float], seconds: int) -> Replay:
    """Second by second; capacity: requests a second of one instance, ready: seconds from its launch to its service."""
    found = Replay()
    count, coming = policy.least, list[float]()
    minute, above = 0.0, 0
    for second in range(seconds):
        while coming and coming[0] <= second:
            found.served.append(coming.pop(0))
            count += 1
        offered = arrivals(second)
        found.offered += offered
        found.refused += max(0.0, offered - count * capacity)
        minute += offered
        if second % PERIOD == PERIOD - 1:
            above = above + 1 if minute / count > policy.target else 0
            wanted = min(policy.most, math.ceil(minute / policy.target))
            if above >= PERIODS and not coming and wanted > count:
                found.asked.append(float(second))
                coming = [second + ready] * (wanted - count)
                above = 0
            minute = 0.0
    return found


def _measure(stage: Stage) -> None:
    """What the fleet can serve here, and how long a new instance takes until it serves."""
    stage.load.set_rate(stage.rate * SATURATION)
    stage.journal.moment("scale", f"{stage.rate * SATURATION:.0f} requests a second, to see how many are served")
    since = stage.load.now() + 2
    time.sleep(8)
    stage.load.collect()
    stage.facts["capacity"] = goodput(stage.load.exchanges, since, stage.load.now() - 1)
    stage.load.set_rate(stage.rate)
    began = time.monotonic()
    new = stage.fleet.launch(stage.version, 1)
    stage.fleet.bring_in(new)
    stage.facts["ready"] = time.monotonic() - began
    stage.journal.moment("scale", f"a new instance serves after {stage.facts['ready']:.1f} s")
    stage.fleet.take_out(new)
    stage.fleet.terminate(new)


def _judged(stage: Stage, scene: Scene) -> list[Check]:
    policy = tracking(stage.case)
    if policy is None:
        return [Check("scaling policy", f"one on {METRIC}", "none", passed=False)]
    return list(_replays(policy, scene.facts["capacity"], scene.facts["ready"] + BOOT_SECONDS))


def _replays(policy: Tracking, capacity: float, ready: float) -> Iterator[Check]:
    """Capacity is that of this machine, which all instances, the database and the load share: that of one, at least."""
    full = policy.least * policy.target / PERIOD
    steady = replay(policy, capacity, ready, lambda second: full * (1 + second / STEADY_SECONDS) / 2, HOURS * 3600)
    yield Check("twice the load within half an hour", "nothing refused", _told(steady), steady.refused < 1)
    sudden = replay(policy, capacity, ready, lambda second: full * (1 if second < 600 else SUDDEN), HOURS * 3600)
    yield Check(f"{SUDDEN:g} times the load at once", "instances are added", _told(sudden), bool(sudden.served))
    room = capacity * PERIOD / policy.target
    yield Check("room when scaling begins", "an instance can serve its target", f"{room:.1f} times of it", room >= 1)


def _told(found: Replay) -> str:
    share = found.refused / found.offered
    if not found.asked:
        return f"no instance added, {share:.2%} refused"
    waited = found.served[0] - found.asked[0] if found.served else math.inf
    return (
        f"asked for after {found.asked[0] / 60:.0f} min, serving {waited:.0f} s later ({BOOT_SECONDS:.0f} s of that "
        f"are assumed, for EC2), {len(found.served)} added, {share:.2%} refused"
    )


SCRIPTS = (
    Script(
        "scaling", "When instances would be added, and what waits until then", "scaling", _measure, _judged, is_own=True
    ),
)
