"""What the load is to do: to whom, how often, and of what it consists."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

from ebtools.rehearse.mix import WEIGHTS, ApiMix, Mix, PathMix
from ebtools.rehearse.people import People


@dataclass(frozen=True, slots=True)
class Plan:
    """One run of the load; seconds and requests a second throughout.

    `people` asks for the mix of Fastier's API, `paths` for GETs of a foreign application; exactly one of both.
    `deadline`: how long a client waits, from the moment at which its request was due. `clients`: how many have
    connections of their own, each used for at most `connection_seconds`. `ttl`: how long after a change of the address
    some clients still connect to the old one.
    """

    address: str
    port: int
    rate: float
    name: str = "load"
    people: People | None = None
    paths: Sequence[str] = ()
    weights: Mapping[str, int] = field(default_factory=lambda: dict(WEIGHTS))
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    host: str = ""
    seed: int = 1
    deadline: float = 10.0
    clients: int = 64
    connection_seconds: float = 60.0
    ttl: float = 0.0
    most_connections: int = 8000
    most_requests: int = 2_000_000

    def __post_init__(self) -> None:
        if (self.people is None) == (not self.paths):
            raise ValueError("a plan needs either people or paths")
        for name in ("deadline", "clients", "connection_seconds", "most_connections", "most_requests"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0")
        # What is wrong with the weights shows here and not in the other process.
        self.mix()

    def mix(self) -> Mix:
        """The requests, from the seed."""
        host = self.host or f"{self.address}:{self.port}"
        headers = {"Host": host, "User-Agent": "fastier-rehearsal", "Accept": "*/*", **self.headers}
        random = Random(self.seed)  # noqa: S311
        if self.people is not None:
            return ApiMix(self.people, headers, self.weights, random)
        return PathMix(self.paths, headers, random)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> "Plan":
        people = given.pop("people")
        return cls(people=People(**people) if people else None, **given)
