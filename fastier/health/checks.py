"""Asks what this instance depends on, each in its own thread, so that a hung one delays nobody for long."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal

import structlog

from fastier.log import describe

# Raises when the dependency is not well; what it returns is ignored.
Check = Callable[[], object]

LIMIT_SECONDS = 3.0
# How long an answer is passed on before it is asked for again, however often alarms and people ask.
FRESH_SECONDS = 5.0

log: Any = structlog.get_logger()


class CheckError(Exception):
    """Raised by a check to say why, in words that anyone may read; of other errors only the kind is told."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check; `finished` is a reading of the monotonic clock."""

    status: Literal["ok", "failed", "timeout"]
    latency_ms: float
    finished: float
    reason: str | None = None

    @property
    def is_ok(self) -> bool:
        return self.status == "ok"

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"status": self.status, "latency_ms": self.latency_ms}
        return body if self.reason is None else {**body, "reason": self.reason}


class _Probe:
    """One check that runs at most once at a time, however many ask."""

    def __init__(self, name: str, check: Check, limit: float) -> None:
        self.name = name
        self.check = check
        self.limit = limit
        self.lock = threading.Lock()
        self.started = 0.0
        self.answer: Future[Finding] | None = None

    def start(self, max_age: float) -> None:
        """Begin, unless the check is running or its last answer is fresh."""
        with self.lock:
            if self.answer and (not self.answer.done() or time.monotonic() - self.answer.result().finished < max_age):
                return
            self.started, self.answer = time.monotonic(), Future()
            threading.Thread(target=self._run, args=(self.answer,), name=f"check-{self.name}", daemon=True).start()

    def finding(self) -> Finding:
        """The answer, waited for until the check's time is up."""
        assert self.answer is not None
        try:
            return self.answer.result(max(0.0, self.started + self.limit - time.monotonic()))
        except TimeoutError:
            return self._finding("timeout", f"no answer within {self.limit:g} s")

    def _run(self, answer: Future[Finding]) -> None:
        try:
            self.check()
        except Exception as error:
            log.warning("check_failed", check=self.name, **describe(error))
            known = isinstance(error, CheckError)
            answer.set_result(self._finding("failed", str(error) if known else type(error).__name__))
        else:
            answer.set_result(self._finding("ok"))

    def _finding(self, status: Literal["ok", "failed", "timeout"], reason: str | None = None) -> Finding:
        now = time.monotonic()
        return Finding(status, round((now - self.started) * 1000, 2), now, reason)


class Checks:
    """Named checks, run side by side, so that all of them together take no longer than the slowest."""

    def __init__(self, checks: Mapping[str, Check], *, limit: float = LIMIT_SECONDS) -> None:
        self._probes = {name: _Probe(name, check, limit) for name, check in checks.items()}

    def findings(self, names: Iterable[str] | None = None, *, max_age: float = FRESH_SECONDS) -> dict[str, Finding]:
        """Each check's finding, at most `max_age` seconds old; takes at most the limit."""
        probes = [probe for name, probe in self._probes.items() if names is None or name in names]
        for probe in probes:
            probe.start(max_age)
        return {probe.name: probe.finding() for probe in probes}
