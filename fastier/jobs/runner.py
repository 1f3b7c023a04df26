"""Runs jobs: leases one at a time on each thread, renews while it works, and stops cleanly at SIGTERM."""

import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from uuid_utils.compat import uuid7

from fastier.jobs import queue
from fastier.jobs.queue import Lease
from fastier.log import describe
from fastier.services import Services

# Does the work of one job; raising means that it is tried again later, so its effect must be safe to repeat.
Handler = Callable[[Services, dict[str, Any]], None]

# An outage makes a thread wait 2, 4, 8 and then always 16 times as long as when nothing is due.
MOST_DOUBLINGS = 4

log: Any = structlog.get_logger()


class JobAbandoned(Exception):
    """The job's runner was killed again and again while it worked on it."""


@dataclass(frozen=True, slots=True)
class Periodic:
    """A job that is due once in each period, however many runners there are."""

    kind: str
    every: timedelta


@dataclass(frozen=True, slots=True)
class Pace:
    """How a runner takes its time; all in seconds but the last."""

    idle: float = 1.0
    lease: float = 60.0
    first_retry: float = 5.0
    longest_retry: float = 3600.0
    stop: float = 25.0
    most_attempts: int = 10


class Runner:
    """Works on the queue with a few threads until it is told to stop."""

    def __init__(
        self,
        services: Services,
        handlers: Mapping[str, Handler],
        periodic: Sequence[Periodic] = (),
        *,
        threads: int = 2,
        pace: Pace = Pace(),
    ) -> None:
        self.services = services
        self.handlers = dict(handlers)
        self.periodic = list(periodic)
        self.pace = pace
        self.name = f"{socket.gethostname()[:40]}-{uuid7().hex[-12:]}"
        # A signal handler may put into this whatever its thread is doing; setting an Event there could deadlock.
        self._told: SimpleQueue[None] = SimpleQueue()
        self._stopping = threading.Event()
        self._held: dict[str, Lease] = {}
        self._periods: dict[str, int] = {}
        self._is_down = False
        self._threads = [
            threading.Thread(target=self._work, args=(f"{self.name}-{number}",), name=f"jobs-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Take no more jobs; also for signal handlers."""
        self._told.put(None)

    def run(self) -> bool:
        """Work until stopped; True when everything that ran has ended within the time for stopping."""
        self.start()
        log.info("jobs_started", runner=self.name, kinds=sorted(self.handlers))
        renewed = due = time.monotonic()
        while not self._is_told_to_stop(within=min(self.pace.idle, self.pace.lease / 6)):
            now = time.monotonic()
            if self._held and now - renewed >= self.pace.lease / 3:
                renewed = now
                self._guarded(self._renew)
            if now >= due:
                due = now + self.pace.idle
                self._enqueue_periodic()
        return self._join()

    def _is_told_to_stop(self, within: float) -> bool:
        try:
            self._told.get(timeout=within)
        except Empty:
            return False
        return True

    def _join(self) -> bool:
        self._stopping.set()
        log.info("jobs_stopping", runner=self.name, held=len(self._held))
        deadline = time.monotonic() + self.pace.stop
        while any(thread.is_alive() for thread in self._threads) and time.monotonic() < deadline:
            time.sleep(0.05)
        finished = not any(thread.is_alive() for thread in self._threads)
        log.info("jobs_stopped", runner=self.name, finished=finished)
        return finished

    def _work(self, holder: str) -> None:
        failures = 0
        while not self._stopping.is_set():
            if self._guarded(partial(self._work_once, holder)):
                failures = 0
            else:
                failures = min(failures + 1, MOST_DOUBLINGS)
                self._rest(2**failures)

    def _work_once(self, holder: str) -> None:
        held = self._lease(holder)
        if held is None:
            self._rest(1)
        else:
            self._do(held)

    def _rest(self, times: float) -> None:
        """Wait a little at random, so that many runners do not ask at the same moment."""
        self._stopping.wait(self.pace.idle * times * random.uniform(0.8, 1.2))  # noqa: S311

    def _lease(self, holder: str) -> Lease | None:
        with self.services.database.transaction() as connection:
            return queue.lease(connection, holder, self.handlers, self.pace.lease)

    def _do(self, held: Lease) -> None:
        self._held[held.holder] = held
        started = time.monotonic()
        try:
            if held.attempts > self.pace.most_attempts:
                raise JobAbandoned("every attempt ended without a word; it may be what ended its runner")
            self.handlers[held.kind](self.services, held.payload)
        except Exception as error:
            self._failed(held, error)
        else:
            with self.services.database.transaction() as connection:
                queue.finish(connection, held)
            took = round((time.monotonic() - started) * 1000, 1)
            log.info("job_done", job=held.id, kind=held.kind, attempts=held.attempts, duration_ms=took)
        finally:
            self._held.pop(held.holder, None)

    def _failed(self, held: Lease, error: Exception) -> None:
        is_last = held.attempts >= self.pace.most_attempts
        write = log.error if is_last else log.warning
        write(
            "job_given_up" if is_last else "job_failed",
            job=held.id,
            kind=held.kind,
            attempts=held.attempts,
            **describe(error),
        )
        reason = describe(error)["error"]
        with self.services.database.transaction() as connection:
            if is_last:
                queue.give_up(connection, held, reason)
            else:
                queue.retry(connection, held, reason, self._delay(held.attempts))

    def _delay(self, attempts: int) -> float:
        """Twice as long after each attempt, and a little at random, so that many do not come back at once."""
        delay: float = min(self.pace.first_retry * 2 ** (attempts - 1), self.pace.longest_retry)
        return delay * random.uniform(0.8, 1.2)  # noqa: S311

    def _renew(self) -> None:
        with self.services.database.transaction() as connection:
            for held in list(self._held.values()):
                if not queue.renew(connection, held, self.pace.lease):
                    log.warning("job_lease_lost", job=held.id, kind=held.kind)

    def _enqueue_periodic(self) -> None:
        """Ask the database only when a period has begun that this runner has not asked about."""
        now = datetime.now(UTC).timestamp()
        periods = {each.kind: int(now - now % each.every.total_seconds()) for each in self.periodic}
        begun = {kind: period for kind, period in periods.items() if self._periods.get(kind) != period}
        if begun and self._guarded(partial(self._enqueue_periods, begun)):
            self._periods |= begun

    def _enqueue_periods(self, begun: dict[str, int]) -> None:
        with self.services.database.transaction() as connection:
            for kind, period in sorted(begun.items()):
                queue.enqueue_period(connection, kind, period)

    def _guarded(self, act: Callable[[], None]) -> bool:
        """Whether it went well. No error ends a thread: the lease runs out, and the job is done again."""
        try:
            act()
        except SQLAlchemyError as error:
            if not self._is_down:
                self._is_down = True
                log.warning("jobs_database_unavailable", runner=self.name, **describe(error))
            return False
        except Exception as error:
            log.error("jobs_failed", runner=self.name, **describe(error))
            return False
        if self._is_down:
            self._is_down = False
            log.info("jobs_database_available", runner=self.name)
        return True


def run(
    services: Services,
    handlers: Mapping[str, Handler],
    periodic: Sequence[Periodic] = (),
    *,
    pace: Pace = Pace(),
) -> bool:
    """Run jobs in this process until SIGTERM or SIGINT; True when all that ran has ended."""
    runner = Runner(services, handlers, periodic, pace=pace)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: runner.stop())
    return runner.run()
