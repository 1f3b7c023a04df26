"""HAProxy in the place of an environment's Application Load Balancer, with targets that come and go."""

import ipaddress
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from ebtools.rehearse.balancer_config import GROUPS, WHOLE, BalancerError, Thresholds, milliseconds
from ebtools.rehearse.balancer_control import Server
from ebtools.rehearse.balancer_log import Hop
from ebtools.rehearse.balancer_process import Proxy

__all__ = ["GROUPS", "Balancer", "BalancerError", "Health", "Hop", "Thresholds"]

Health = Literal["initial", "healthy", "unhealthy", "draining"]
Phase = Literal["initial", "checked", "draining"]
Teller = Callable[[str], None]

_WATCHER_SECONDS = 30.0
_DELETE_SECONDS = 10.0
_POLL = 0.02
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}")


@dataclass(slots=True)
class Target:
    """What the balancer knows of a target beside HAProxy; `since` in seconds of the monotonic clock."""

    phase: Phase
    since: float


class Balancer:
    """One load balancer with the target groups "main" and "canary".

    `folder` is for its configuration and messages, `address` and `port` are its listener's. `on_event` is told, by a
    thread of this class, each change of a target's health in words. Start it from a thread that outlives it: HAProxy
    ends with the thread that started it. All methods may be called by several threads.
    """

    def __init__(
        self, folder: Path, address: str, port: int, thresholds: Thresholds, *, on_event: Teller | None = None
    ) -> None:
        self.folder, self.address, self.port, self.thresholds = folder, address, port, thresholds
        self._tell = on_event or (lambda _text: None)
        self._proxy = Proxy(folder)
        self._control = self._proxy.control
        self._targets: dict[tuple[str, str], Target] = {}
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="target health", daemon=True)

    def start(self) -> None:
        """Listen; raises BalancerError with HAProxy's own words when it cannot."""
        self._proxy.start(self.address, self.port, self.thresholds)
        self._watcher.start()

    def stop(self) -> None:
        """End it at once, with what is under way; a second time it does nothing."""
        self._stopping.set()
        if self._watcher.ident is not None:
            self._watcher.join(_WATCHER_SECONDS)
        self._proxy.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def pids(self) -> list[int]:
        """HAProxy's process, while it runs."""
        return self._proxy.pids()

    def register(self, group: str, name: str, address: str, port: int = 80) -> None:
        """Add a target; it gets requests once it has passed one health check.

        Raises BalancerError for a name that is taken, or that HAProxy does not accept.
        """
        where = _where(group, name)
        limits = self.thresholds
        # Without both of these HAProxy 2.6 keeps no connection to a server that was added at run time.
        reuse = f"pool-max-conn 10000 pool-purge-delay {self._purge_delay()}"
        waits = f"{ipaddress.ip_address(address)}:{port} {reuse}"
        rules = f"check inter {milliseconds(limits.interval)} fall {limits.unhealthy} rise {limits.healthy}"
        with self._lock:
            self._control.order(f"add server {where} {waits} {rules}")
            self._targets[group, name] = Target("initial", time.monotonic())
            # Drained, it is checked and gets no requests.
            self._control.order(f"set server {where} state drain")
            self._control.order(f"enable health {where}")
            self._control.order(f"add server {_where(group + '-open', name)} {waits}")
            self._control.order(f"set server {_where(group + '-open', name)} state ready")

    def deregister(self, group: str, name: str, *, on_event: Teller) -> None:
        """Send it no more requests, wait for those under way, at most the deregistration delay, then cut the rest.

        Raises BalancerError when there is no such target, or when it is already leaving.
        """
        with self._lock:
            target = self._targets.get((group, name))
            if target is None or target.phase == "draining":
                raise BalancerError(f"{name} is no target of {group}, or already leaves")
            target.phase = "draining"
            self._order_both(group, name, "set server {} state drain")
        began = time.monotonic()
        on_event(f"{name} drains with {self.in_flight(group, name)} requests under way")
        while (left := self.in_flight(group, name)) and time.monotonic() < began + self.thresholds.delay:
            time.sleep(_POLL)
        self._order_both(group, name, "set server {} state maint")
        self._order_both(group, name, "shutdown sessions server {}")
        self._delete(group, name)
        on_event(f"{name} left after {time.monotonic() - began:.1f} s, {left} requests were cut")

    def health(self, group: str) -> dict[str, Health]:
        """The state of each target of a group, by name."""
        with self._lock:
            phases = {key: target.phase for key, target in self._targets.items()}
        servers = (server for server in self._control.servers() if server.backend == group)
        return {
            server.name: _health(server, phases[group, server.name])
            for server in servers
            if (group, server.name) in phases
        }

    def wait_healthy(self, group: str, names: Collection[str], timeout: float) -> None:
        """Return once all these targets are healthy; raises BalancerError that names the others after `timeout` s."""
        deadline = time.monotonic() + timeout
        while others := self._not_healthy(group, names):
            if time.monotonic() > deadline:
                states = ", ".join(f"{name} is {state}" for name, state in others.items())
                raise BalancerError(f"after {timeout:g} s {states}")
            time.sleep(_POLL)

    def set_weights(self, weights: Mapping[str, int]) -> None:
        """Divide the requests among the groups, as {"main": 90, "canary": 10}; a group that is not named gets none."""
        total = sum(weights.values())
        if not set(weights) <= set(GROUPS) or min(weights.values(), default=0) < 0 or not total:
            raise BalancerError(f"weights are numbers for {' and '.join(GROUPS)}, not {dict(weights)}")
        share = round(WHOLE * weights.get("canary", 0) / total)
        # HAProxy 2.6 counts variables that are set at run time among its experiments.
        self._control.order(f"experimental-mode on; set var proc.canary int({share})")

    def in_flight(self, group: str, name: str) -> int:
        """How many requests a target has under way; 0 for one that is not there."""
        backends = (group, f"{group}-open")
        found = (server for server in self._control.servers() if server.backend in backends and server.name == name)
        return sum(server.in_flight for server in found)

    def causes(self) -> dict[str, Hop]:
        """X-Request-Id to why it failed, for what was not answered with 2xx, 3xx or 4xx, or not to its end."""
        return self._proxy.log.causes()

    def counts(self) -> dict[tuple[int, str], Counter[str]]:
        """(second since 1970, target) to the number of answers of each kind: "2xx" to "5xx", "none"."""
        return self._proxy.log.counts()

    def _purge_delay(self) -> str:
        """HAProxy closes half of a target's unused connections each time, so hundreds are gone within the idle time."""
        return milliseconds(self.thresholds.idle / 8)

    def _order_both(self, group: str, name: str, command: str) -> None:
        for backend in (group, f"{group}-open"):
            self._control.order(command.format(_where(backend, name)))

    def _delete(self, group: str, name: str) -> None:
        deadline = time.monotonic() + _DELETE_SECONDS
        for backend in (group, f"{group}-open"):
            while (refusal := self._control.attempt(f"del server {_where(backend, name)}")) is not None:
                # The connections of what was just cut end a moment later.
                if time.monotonic() > deadline:
                    raise BalancerError(f"{name} does not leave: {refusal}")
                time.sleep(_POLL)
        with self._lock:
            del self._targets[group, name]

    def _not_healthy(self, group: str, names: Collection[str]) -> dict[str, str]:
        states = self.health(group)
        return {name: states.get(name, "no target") for name in names if states.get(name) != "healthy"}

    def _watch(self) -> None:
        """Let in what has passed its first health check, and tell who has changed."""
        seen: dict[tuple[str, str], Health] = {}
        trouble = ""
        pause = min(1.0, max(_POLL, self.thresholds.interval / 10))
        while not self._stopping.wait(pause):
            try:
                self._admit()
                for group in GROUPS:
                    self._tell_changes(seen, group)
            except BalancerError as error:
                if str(error) != trouble:
                    self._tell(trouble := str(error))

    def _admit(self) -> None:
        for server in self._control.servers():
            with self._lock:
                target = self._targets.get((server.backend, server.name))
                if target and target.phase == "initial" and (server.has_passed or self._is_overdue(target)):
                    self._let_in(server)
                    target.phase = "checked"

    def _is_overdue(self, target: Target) -> bool:
        """Whether it had time for as many failed health checks as make a target unhealthy."""
        return time.monotonic() > target.since + self.thresholds.unhealthy * self.thresholds.interval

    def _let_in(self, server: Server) -> None:
        """What HAProxy has found it to be decides now; one check is enough to be healthy at first."""
        where = _where(server.backend, server.name)
        self._control.order(f"set server {where} health {'up' if server.has_passed else 'down'}")
        self._control.order(f"set server {where} state ready")

    def _tell_changes(self, seen: dict[tuple[str, str], Health], group: str) -> None:
        for name, state in self.health(group).items():
            if seen.get((group, name)) != state:
                self._tell(f"{name} in {group} is {state}")
            seen[group, name] = state


def _where(backend: str, name: str) -> str:
    """A server as commands name it; raises BalancerError for what would be read as something else."""
    if backend.removesuffix("-open") not in GROUPS or not _NAME.fullmatch(name):
        raise BalancerError(f"{backend}/{name} is no target's name")
    return f"{backend}/{name}"


def _health(server: Server, phase: Phase) -> Health:
    if phase != "checked":
        return phase
    return "healthy" if server.is_up else "unhealthy"
