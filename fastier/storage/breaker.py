"""A circuit breaker: after a few failures in a row nobody waits for a store that does not answer."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fastier.storage.protocol import StorageUnavailable


class Breaker:
    """Opens after `failures` within `window` seconds; `pause` seconds later, one call at a time tries again."""

    def __init__(
        self,
        *,
        failures: int = 3,
        window: float = 10.0,
        pause: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._window, self._pause, self._clock = window, pause, clock
        self._failed_at: deque[float] = deque(maxlen=failures)
        self._opened_at: float | None = None
        self._trying = False
        self._lock = threading.Lock()

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around one call; refuses it while open. Only StorageUnavailable counts as a failure."""
        is_trying = self._enter()
        try:
            yield
        except StorageUnavailable:
            self._failed(is_trying)
            raise
        except BaseException:
            self._succeeded(is_trying)
            raise
        self._succeeded(is_trying)

    def _enter(self) -> bool:
        """Whether this call is the one that tries again."""
        with self._lock:
            if self._opened_at is None:
                return False
            if self._trying or self._clock() - self._opened_at < self._pause:
                raise StorageUnavailable("not asked: it did not answer a moment ago")
            self._trying = True
            return True

    def _failed(self, is_trying: bool) -> None:
        with self._lock:
            if self._is_late(is_trying):
                return
            now = self._clock()
            self._failed_at.append(now)
            is_full = len(self._failed_at) == self._failed_at.maxlen
            if is_trying or (is_full and now - self._failed_at[0] <= self._window):
                self._opened_at = now
            self._trying = False

    def _succeeded(self, is_trying: bool) -> None:
        with self._lock:
            if self._is_late(is_trying):
                return
            self._failed_at.clear()
            self._opened_at = None
            self._trying = False

    def _is_late(self, is_trying: bool) -> bool:
        """A call from before it opened, which says nothing about now; only the one that tries decides."""
        return self._opened_at is not None and not is_trying
