"""An environment: instances behind a load balancer, and the steps of which every deployment policy is made."""

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

from ebtools.rehearse.balancer import Balancer, BalancerError
from ebtools.rehearse.instance import Instance
from ebtools.rehearse.journal import Journal
from ebtools.rehearse.pace import CHECKS, Pace
from ebtools.rehearse.versions import Version

T = TypeVar("T")
R = TypeVar("R")
GROUPS = ("main", "canary")
Launch = Callable[[str], Instance]
Deploy = Callable[[Instance, Version, bool], None]


class DeploymentStopped(Exception):
    """The deployment did not succeed; the message says at which step of which instance, and what was left."""


@dataclass(eq=False, slots=True)
class Member:
    """An instance of the environment and the version that its last deployment brought."""

    instance: Instance
    version: Version
    group: str = "main"

    @property
    def name(self) -> str:
        return self.instance.name


@dataclass(slots=True)
class Fleet:
    """The instances of one environment; `launch` makes a machine, `deploy` runs the platform's steps on it."""

    name: str
    balancer: Balancer
    launch_machine: Launch
    deploy_to: Deploy
    pace: Pace
    health_path: str
    journal: Journal
    members: list[Member] = field(default_factory=list)
    numbers: "count[int]" = field(default_factory=lambda: count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, version: Version, how_many: int) -> None:
        """A new environment: one instance leads, and migrates alone."""
        self.bring_in(self.launch(version, 1))
        self.bring_in(self.launch(version, how_many - 1))

    def launch(self, version: Version, how_many: int, group: str = "main") -> list[Member]:
        """New instances with this version on them, in no target group yet."""
        launched = together(range(how_many), lambda number: self._launch(version, group, is_leader=number == 0))
        with self._lock:
            self.members += launched
        return launched

    def _launch(self, version: Version, group: str, *, is_leader: bool) -> Member:
        with self._lock:
            number = next(self.numbers)
        name = f"{self.name}{number}"
        member = Member(self.launch_machine(name), version, group)
        self.journal.state(name, version.name, "starting")
        self.journal.moment("instance", f"{name} is launched")
        try:
            self._deploy(member, version, is_leader=is_leader)
        except BaseException:
            self.journal.state(name, version.name, "failed")
            with self._lock:
                self.members.append(member)
            raise
        return member

    def redeploy(self, members: Sequence[Member], version: Version, *, is_leading: bool) -> None:
        """The platform's steps on instances that run already; raises DeploymentStopped when one of them fails."""
        before = {member: member.version for member in members}
        for member in members:
            self.journal.state(member.name, version.name, "starting")
        together(
            list(enumerate(members)), lambda one: self._redeploy(one[1], version, before, is_leading and one[0] == 0)
        )

    def _redeploy(self, member: Member, version: Version, before: dict[Member, Version], is_leader: bool) -> None:
        try:
            self._deploy(member, version, is_leader=is_leader)
        except BaseException:
            self.journal.state(member.name, before[member].name, "failed")
            raise
        member.version = version
        self.journal.state(member.name, version.name, "in service")

    def _deploy(self, member: Member, version: Version, *, is_leader: bool) -> None:
        began = time.monotonic()
        self.deploy_to(member.instance, version, is_leader)
        self.journal.moment("deploy", f"{member.name} runs {version.name} after {time.monotonic() - began:.1f} s")

    def bring_in(self, members: Sequence[Member]) -> None:
        """Register them, and wait until the load balancer finds them healthy."""
        for member in members:
            self.balancer.register(member.group, member.name, member.instance.address)
        self.wait_healthy(members)
        for member in members:
            self.journal.state(member.name, member.version.name, "in service")
            self.journal.moment("balancer", f"{member.name} gets requests")

    def wait_healthy(self, members: Sequence[Member]) -> None:
        """Until the load balancer finds all of them healthy; raises DeploymentStopped when it does not."""
        for group in GROUPS:
            names = [member.name for member in members if member.group == group]
            if names:
                self._wait(group, names)

    def take_out(self, members: Sequence[Member]) -> None:
        """Deregister those that get requests; what they have begun may end within the deregistration delay."""
        targets = {group: self.balancer.health(group) for group in GROUPS}
        serving = [member for member in members if member.name in targets[member.group]]
        for member in serving:
            self.journal.state(member.name, member.version.name, "draining")
        together(serving, lambda member: self.balancer.deregister(member.group, member.name, on_event=self._told))

    def _wait(self, group: str, names: list[str]) -> None:
        try:
            self.balancer.wait_healthy(group, names, self.pace.checks_within)
        except BalancerError as error:
            raise DeploymentStopped(f"{self.health_path} is not answered as it should be: {error}") from None

    def _told(self, text: str) -> None:
        self.journal.moment("balancer", text)

    def watch(self, members: Sequence[Member], *, at_least: float = 0.0) -> None:
        """Enhanced health: so many checks in a row, and for at least so many seconds, or the deployment has failed."""
        began = time.monotonic()
        deadline = began + max(self.pace.checks_within, 2 * at_least)
        well = 0
        while well < CHECKS or time.monotonic() < began + at_least:
            if time.monotonic() > deadline:
                raise DeploymentStopped(f"{', '.join(one.name for one in members)} did not stay healthy")
            time.sleep(self.pace.check_seconds)
            is_well = all(self._is_well(member) for member in members)
            well = well + 1 if is_well else 0
        self.journal.moment("deploy", f"{well} checks in a row were well")

    def _is_well(self, member: Member) -> bool:
        if self.balancer.health(member.group).get(member.name) != "healthy":
            return False
        try:
            with urllib.request.urlopen(f"http://{member.instance.address}{self.health_path}", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def adopt(self, members: Sequence[Member]) -> None:
        """Those of the canary group become the environment's own, while both groups lead to them."""
        for member in members:
            self.balancer.register("main", member.name, member.instance.address)
        names = [member.name for member in members]
        self._wait("main", names)
        self.balancer.set_weights({"main": 100, "canary": 0})
        for member in members:
            self.balancer.deregister("canary", member.name, on_event=self._told)
            member.group = "main"

    def terminate(self, members: Sequence[Member]) -> None:
        """End them, as the Auto Scaling group does: the services are told to stop first."""
        for member in members:
            with self._lock:
                self.members.remove(member)
        together(members, lambda member: member.instance.terminate())
        for member in members:
            self.journal.state(member.name, member.version.name, "stopped")
            self.journal.moment("instance", f"{member.name} is terminated")


def together(things: Sequence[T], act: Callable[[T], R]) -> list[R]:
    """Do this to all at once; the first exception is raised when all have ended."""
    if not things:
        return []
    with ThreadPoolExecutor(len(things)) as pool:
        futures = [pool.submit(act, one) for one in things]
    return [future.result() for future in futures]
