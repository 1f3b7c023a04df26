"""Starts, steers and ends the load, which runs in a process of its own, and collects what became of each request."""

import contextlib
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson

from ebtools.rehearse.ledger import Ledger
from ebtools.rehearse.mix import Write
from ebtools.rehearse.plan import Plan
from ebtools.rehearse.record import Exchange

_ROOT = Path(__file__).parents[2]
_START_SECONDS = 30.0
_POLL_SECONDS = 0.005


class LoadError(Exception):
    """The load did not start, or ended before it was asked to; what it had done until then stays readable."""


class Load:
    """One run of the load, from `start` to `stop`; a context manager ends it however the block ends.

    `exchanges`, `ledger`, `reopened` (requests that met a connection closed while idle) and `lag` (seconds by which
    the sender was late at most: above some milliseconds the machine was too busy to measure on) hold what was read by
    the last `collect` or `stop`.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        """Write into `folder`, which must exist; nothing starts yet."""
        self.plan = plan
        self.run = secrets.token_hex(3)
        self.results = folder / f"load-{plan.name}-{self.run}.jsonl"
        self.errors = self.results.with_suffix(".err")
        self.exchanges: list[Exchange] = []
        self.ledger = Ledger.opened(plan.people) if plan.people else Ledger("")
        self.reopened = 0
        self.lag = 0.0
        self.began = 0.0
        self._is_full = False
        self._position = 0
        self._known: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def pids(self) -> list[int]:
        """The process that sends, while it does."""
        return [self._process.pid] if self._process else []

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self, began: float | None = None) -> None:
        """Start the process and send the first request at once; LoadError when it does not start.

        `began` is the moment of time.monotonic() from which seconds are counted; now unless given.
        """
        with self.results.open("wb") as results, self.errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ebtools.rehearse.load_process"],
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=results,
                stderr=errors,
            )
        # By the input and not as an argument: it holds the token.
        self._tell(self.plan.to_json())
        self._until_ready()
        now = time.monotonic()
        self.began = now if began is None else began
        self._tell({"began": self.began, "first": now, "run": self.run})

    def now(self) -> float:
        """Seconds since the act began, on the clock of the exchanges' `due`."""
        return time.monotonic() - self.began

    def set_rate(self, rate: float) -> None:
        """Send so many requests a second from now on; 0 pauses. LoadError when the load has ended."""
        self._tell({"rate": rate})

    def set_address(self, address: str, port: int) -> None:
        """Change what the name resolves to; new connections follow within the plan's `ttl`. LoadError as above."""
        self._tell({"address": address, "port": port})

    def collect(self) -> int:
        """Read what has become known since the last time, while it runs; how many exchanges are known now."""
        with self.results.open("rb") as results:
            results.seek(self._position)
            for line in results:
                # A line that is still being written, or that a kill has cut off, is left for the next time.
                if not line.endswith(b"\n"):
                    break
                self._position += len(line)
                self._take(orjson.loads(line))
        return len(self.exchanges)

    def stop(self) -> tuple[list[Exchange], Ledger]:
        """Send no more, wait until all is answered or given up, and give everything; LoadError when it had ended.

        It takes up to the plan's deadline. After a LoadError `exchanges` and `ledger` hold what was known by then.
        """
        early = ""
        try:
            self._tell({"stop": True})
            self._running().wait(self.plan.deadline + 5)
        except LoadError as error:
            early = str(error)
        except subprocess.TimeoutExpired:
            early = "The load did not stop"
        finally:
            self.kill()
            self.collect()
        early = early or self._fault()
        if early:
            raise LoadError(early)
        return self.exchanges, self.ledger

    def kill(self) -> None:
        """End the process at once, if it runs; what it had written stays readable."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.kill()
        process.wait(10)
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            raise LoadError("The load was not started")
        return self._process

    def _tell(self, order: dict[str, Any]) -> None:
        process = self._running()
        try:
            if process.poll() is not None or process.stdin is None:
                raise BrokenPipeError
            process.stdin.write(orjson.dumps(order) + b"\n")
            process.stdin.flush()
        except (OSError, ValueError):
            raise LoadError(self._fault() or "The load had ended before") from None

    def _fault(self) -> str:
        """Why the process ended by itself; empty when it did as it was told."""
        if self._is_full:
            return f"The load ended at {self.plan.most_requests} requests, the most that are kept"
        code = self._running().poll()
        if not code:
            return ""
        last = self.errors.read_text(errors="replace").strip().splitlines()[-1:]
        return f"The load ended with {code}: {' '.join(last)}".rstrip(": ")

    def _until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while os.stat(self.results).st_size == 0:
            if self._running().poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise LoadError(self._fault() or "The load did not start")
            time.sleep(_POLL_SECONDS)

    def _take(self, line: list[Any]) -> None:
        kind, *values = line
        if kind == "sent":
            request_id, *write = values
            self.ledger.sent(request_id, Write(*write))
        elif kind == "done":
            self._done(*values)
        elif kind == "full":
            self._is_full = True

    def _done(self, exchange: list[Any], effect: str, item: str, reopened: int, lag: float) -> None:
        due, took, method, path, status, outcome, request_id, cause = exchange
        method, path, outcome, cause = map(self._once, (method, path, outcome, cause))
        self.exchanges.append(Exchange(due, took, method, path, status, outcome, request_id, cause))
        self.reopened += reopened
        self.lag = max(self.lag, lag)
        if effect == "acknowledged":
            self.ledger.acknowledge(request_id, item, due + took)
        elif effect == "denied":
            self.ledger.deny(request_id)
        elif effect == "none":
            self.ledger.forget(request_id)

    def _once(self, text: str) -> str:
        """The same text is kept once: millions of exchanges have few different ones."""
        return self._known.setdefault(text, text)
