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
        self._stopping = threading.Event()
        self._held: dict[str, Lease] = {}
        self._threads = [
            threading.Thread(target=self._work, args=(f"{self.name}-{number}",), name=f"jobs-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Take no more jobs."""
        self._stopping.set()

    def run(self) -> bool:
        """Work until stopped; True when everything that ran has ended within the time for stopping."""
        self.start()
        log.info("jobs_started", runner=self.name, kinds=sorted(self.handlers))
        renewed = due = time.monotonic()
        while not self._stopping.wait(min(self.pace.idle, self.pace.lease / 6)):
            now = time.monotonic()
            if now - renewed >= self.pace.lease / 3:
                renewed = now
                self._guarded(self._renew)
            if now >= due:
                due = now + max(self.pace.idle, 5.0)
                self._guarded(self._enqueue_periodic)
        return self._join()

    def _join(self) -> bool:
        deadline = time.monotonic() + self.pace.stop
        while any(thread.is_alive() for thread in self._threads) and time.monotonic() < deadline:
            time.sleep(0.05)
        finished = not any(thread.is_alive() for thread in self._threads)
        log.info("jobs_stopped", runner=self.name, finished=finished)
        return finished

    def _work(self, holder: str) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                held = self._lease(holder)
            except SQLAlchemyError as error:
                failures += 1
                if failures == 1:
                    log.warning("jobs_database_unavailable", runner=holder, **describe(error))
                self._stopping.wait(min(self.pace.idle * 2**failures, 30.0))
                continue
            failures = 0
            if held is None:
                self._stopping.wait(self.pace.idle * random.uniform(0.8, 1.2))  # noqa: S311
            else:
                self._guarded(partial(self._do, held))

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
        reason = f"{type(error).__name__}: {error}"
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
        now = datetime.now(UTC).timestamp()
        with self.services.database.transaction() as connection:
            for each in self.periodic:
                queue.enqueue_period(connection, each.kind, int(now // each.every.total_seconds()))

    def _guarded(self, act: Callable[[], None]) -> None:
        """An outage ends no thread: the lease runs out, and the job is done again."""
        try:
            act()
        except SQLAlchemyError as error:
            log.warning("jobs_database_unavailable", runner=self.name, **describe(error))


def run(services: Services, handlers: Mapping[str, Handler], periodic: Sequence[Periodic] = ()) -> bool:
    """Run jobs in this process until SIGTERM or SIGINT; True when all that ran has ended."""
    runner = Runner(services, handlers, periodic)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: runner.stop())
    return runner.run()
