"""Keeps what happens during an act: moments, and which instance ran which version in which state."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from ebtools.rehearse.record import Moment, Span

Told = Callable[[Moment], None]


@dataclass(slots=True)
class Journal:
    """One act's; `clock` gives seconds since the act began, `told` hears of each moment at once."""

    clock: Callable[[], float]
    told: Told
    moments: list[Moment] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    _now: dict[str, tuple[str, str, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def moment(self, kind: str, text: str) -> None:
        found = Moment(self.clock(), kind, text)
        with self._lock:
            self.moments.append(found)
        self.told(found)

    def state(self, instance: str, version: str, state: str) -> None:
        """From now on this instance is in that state with that version."""
        with self._lock:
            self._end(instance)
            self._now[instance] = (version, state, self.clock())

    def close(self) -> None:
        """Nothing more happens in this act."""
        with self._lock:
            for instance in list(self._now):
                self._end(instance)

    def _end(self, instance: str) -> None:
        if instance in self._now:
            version, state, since = self._now.pop(instance)
            if state != "stopped":
                self.spans.append(Span(instance, version, state, since, self.clock()))
