"""Faults of one instance: of a worker, of the machine, of its memory and its disk."""

import os
import signal
import time

from ebtools.rehearse.fleet import Member
from ebtools.rehearse.record import Check
from ebtools.rehearse.stage import Scene, Stage, fault
from ebtools.rehearse.verdicts import all_healthy, nothing_failed


def _first(stage: Stage) -> Member:
    return stage.fleet.members[0]


def _kill_worker(stage: Stage) -> None:
    member = _first(stage)
    stage.facts["held"] = stage.balancer.in_flight("main", member.name) + 1
    web = next(unit for unit in stage.engines[member.name].units if unit.name == "web")
    worker = web.children()[0]
    os.kill(worker, signal.SIGKILL)
    stage.journal.moment("fault", f"a worker of {member.name} is killed")
    time.sleep(4)


def _costs_what_it_held(stage: Stage, scene: Scene) -> list[Check]:
    allowed = int(scene.facts["held"])
    failed = len(scene.failed)
    wanted = f"at most {allowed}, which it was working on"
    return [Check("failed requests", wanted, f"{failed:,} failed", failed <= allowed), all_healthy(stage)]


def _kill_instance(stage: Stage) -> None:
    member = _first(stage)
    _note_share(stage, member)
    member.instance.kill()
    stage.journal.state(member.name, member.version.name, "failed")
    stage.journal.moment("fault", f"{member.name} is gone")
    _wait_until_out(stage, member)
    # The Auto Scaling group ends what is unhealthy, and launches another one.
    stage.fleet.take_out([member])
    stage.journal.state(member.name, member.version.name, "stopped")
    stage.fleet.members.remove(member)
    stage.fleet.bring_in(stage.fleet.launch(stage.version, 1))


def _pause_instance(stage: Stage) -> None:
    member = _first(stage)
    _note_share(stage, member)
    member.instance.pause()
    stage.journal.state(member.name, member.version.name, "failed")
    stage.journal.moment("fault", f"{member.name} hangs")
    _wait_until_out(stage, member)
    time.sleep(2)
    member.instance.resume()
    stage.journal.moment("fault", f"{member.name} goes on")
    stage.fleet.wait_healthy([member])
    stage.journal.state(member.name, member.version.name, "in service")


def _note_share(stage: Stage, member: Member) -> None:
    """What an instance may cost: what it holds, and its share until its checks have failed often enough.

    HAProxy waits for an interval after a check has timed out; an Application Load Balancer begins one in each interval.
    """
    target = stage.balancer.thresholds
    seconds = (target.interval + target.timeout) * target.unhealthy + target.interval
    share = stage.rate / len(stage.fleet.members) * seconds
    stage.facts["allowed"] = stage.balancer.in_flight("main", member.name) + round(share * 1.2) + 1
    stage.facts["until"] = seconds


def _wait_until_out(stage: Stage, member: Member) -> None:
    began, target = time.monotonic(), stage.balancer.thresholds
    longest = 3 * (target.interval + target.timeout) * target.unhealthy
    while stage.balancer.health("main").get(member.name) == "healthy" and time.monotonic() < began + longest:
        time.sleep(0.05)
    stage.journal.moment("balancer", f"{member.name} is found unhealthy after {time.monotonic() - began:.1f} s")


def _share_lost(stage: Stage, scene: Scene) -> list[Check]:
    """What it cost in all: what the others refuse meanwhile, as they wait for locks that it held, counts as well."""
    allowed, failed, refused = int(scene.facts["allowed"]), len(scene.failed), len(scene.refused)
    wanted = f"at most {allowed}: what it held, and its share for {scene.facts['until']:.1f} s"
    found = f"{failed:,} failed, {refused:,} refused"
    return [Check("failed or refused requests", wanted, found, failed + refused <= allowed), all_healthy(stage)]


def _hog_memory(stage: Stage) -> None:
    member = _first(stage)
    stage.facts["held"] = stage.balancer.in_flight("main", member.name) + 1
    before = member.instance.cgroup.kills
    hog = "b = []\nwhile True: b.append(bytearray(b'x' * 2**24))"
    told = member.instance.run(["python3", "-c", hog], timeout=30)
    killed = member.instance.cgroup.kills - before
    stage.journal.moment("fault", f"the hog on {member.name} was ended with {told.code}; {killed} killed for memory")
    time.sleep(3)


def _fill_disk(stage: Stage) -> None:
    member = _first(stage)
    told = member.instance.run(["sh", "-c", "cat /dev/zero > /var/filler"], timeout=60)
    stage.journal.moment("fault", f"the disk of {member.name} is full: {told.last_line}")
    time.sleep(5)
    member.instance.run(["rm", "/var/filler"])
    stage.journal.moment("fault", f"the disk of {member.name} has room again")


SCRIPTS = (
    fault("worker killed", "A worker is killed", _kill_worker, _costs_what_it_held),
    fault("instance killed", "An instance is gone from one moment to the next", _kill_instance, _share_lost),
    fault("instance paused", "An instance hangs, with its connections open", _pause_instance, _share_lost),
    fault("memory hog", "Another process takes all memory of an instance", _hog_memory, _costs_what_it_held),
    fault("disk full", "The disk of an instance is full", _fill_disk, nothing_failed),
)
