"""Counts requests in memory that all workers of an instance share, without a lock and within a fixed size."""

import hashlib
import math
import mmap
import time
from collections.abc import Callable
from dataclasses import dataclass

# A slot is two words of 8 bytes: the key's fingerprint, and when all its requests will have been given back.
_SLOTS = 65_536
_SLOT_BYTES = 16
_PROBES = 8
# Of one request's share: sums of floating-point shares do not meet the window exactly.
_SLACK = 0.01


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may go on, and what the client is told; all times in seconds."""

    allowed: bool
    quota: int
    window: int
    remaining: int
    reset: float
    retry_after: float


class RequestLimiter:
    """`quota` requests in `window_seconds` for each key, by the generic cell rate algorithm.

    Make it before the workers are forked: they share its anonymous memory (1 MiB), and the monotonic clock, which on
    Linux is one for all processes. Two workers that write one slot at the same moment lose one count, which a limit of
    thousands bears better than a lock that a killed worker would hold for ever. Each word is written whole, so that
    nobody reads half of a moment. When a key finds eight busy slots of others, it is let through: the limit protects,
    it does not bill.
    """

    def __init__(self, *, quota: int, window_seconds: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.quota = quota
        self.window = window_seconds
        self._share = window_seconds / quota
        self._clock = clock
        memory = memoryview(mmap.mmap(-1, _SLOT_BYTES * _SLOTS))
        self._owners = memory.cast("Q")
        self._moments = memory.cast("d")

    def peek(self, key: bytes) -> Verdict:
        """What `take` would say, without counting."""
        now = self._clock()
        slot, full_at = self._find(_fingerprint(key), now)
        moved = max(full_at, now) + self._share
        fits = slot is None or moved <= now + self.window + self._share * _SLACK
        return self._verdict(fits, full_at, now)

    def take(self, key: bytes) -> Verdict:
        """Count one request of this key."""
        now = self._clock()
        fingerprint = _fingerprint(key)
        slot, full_at = self._find(fingerprint, now)
        if slot is None:
            return self._verdict(True, now, now)
        moved = max(full_at, now) + self._share
        if moved > now + self.window + self._share * _SLACK:
            return self._verdict(False, full_at, now)
        # The moment first: whoever reads in between sees the slot as busy, with its idle owner.
        self._moments[slot + 1] = moved
        self._owners[slot] = fingerprint
        return self._verdict(True, moved, now)

    def _find(self, fingerprint: int, now: float) -> tuple[int | None, float]:
        """The key's slot and moment; for a new key the first slot that nobody needs any more."""
        idle: int | None = None
        for probe in range(_PROBES):
            slot = (fingerprint + probe) % _SLOTS * 2
            full_at = self._moments[slot + 1]
            if self._owners[slot] == fingerprint:
                return slot, full_at
            if idle is None and full_at <= now:
                idle = slot
        return idle, now

    def _verdict(self, allowed: bool, full_at: float, now: float) -> Verdict:
        used = max(0.0, full_at - now)
        remaining = max(0, int((self.window - used) / self._share + _SLACK))
        wait = 0.0 if allowed else max(0.0, used + self._share - self.window)
        return Verdict(allowed, self.quota, self.window, remaining, used, wait)


def _fingerprint(key: bytes) -> int:
    # Zero is the owner of a slot that nobody has used.
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest()) or 1


def limit_headers(verdict: Verdict) -> dict[str, str]:
    """The two headers of the IETF's draft, as structured fields."""
    return {
        "RateLimit-Policy": f'"default";q={verdict.quota};w={verdict.window}',
        "RateLimit": f'"default";r={verdict.remaining};t={math.ceil(verdict.reset)}',
    }
