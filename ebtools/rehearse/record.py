"""What a rehearsal has seen, as the reports show it; times are seconds since an act began."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened; kind: deploy, instance, balancer, fault or scale."""

    at: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request: when it was due, how long its client waited from then, and what came of it.

    status: 0 without an answer. outcome: good, refused (503 with Retry-After) or failed. cause: in words, unless good.
    """

    due: float
    took: float
    method: str
    path: str
    status: int
    outcome: str
    request_id: str
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """What an act must show: `wanted` and `found` in words."""

    name: str
    wanted: str
    found: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Span:
    """An instance with a version in one state: starting, in service, draining, failed or stopped."""

    instance: str
    version: str
    state: str
    since: float
    until: float


@dataclass(slots=True)
class Act:
    """One policy, fault or question of scaling, played; kind: policy, fault or scaling.

    logs: where they lie beside the report, if it failed.
    """

    name: str
    title: str
    kind: str
    seconds: float
    exchanges: list[Exchange] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    error: str = ""
    logs: str = ""

    @property
    def passed(self) -> bool:
        """An act that checked nothing has shown nothing."""
        return not self.error and bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def sent(self) -> int:
        return len(self.exchanges)

    @property
    def failed(self) -> int:
        return sum(1 for exchange in self.exchanges if exchange.outcome == "failed")

    @property
    def refused(self) -> int:
        return sum(1 for exchange in self.exchanges if exchange.outcome == "refused")

    @property
    def shown(self) -> str:
        """What its checks found, in one line; how many requests failed is told apart, and why it ended early first."""
        found = (f"{one.name}: {one.found}" for one in self.checks if not one.name.endswith("requests"))
        return self.error or "; ".join(found)


@dataclass(slots=True)
class Rehearsal:
    """All acts of one run; `about` says with what, `not_imitated` what of the platform was left out."""

    about: dict[str, str]
    not_imitated: list[str]
    acts: list[Act]

    @property
    def passed(self) -> bool:
        return bool(self.acts) and all(act.passed for act in self.acts)
