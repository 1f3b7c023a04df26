"""One flag for all workers of an instance: set when it first could serve, and never unset."""

import mmap


class Readiness:
    """Lives in memory shared with every process forked after it was made, so make it before the fork."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 1)

    def is_set(self) -> bool:
        return self._shared[0] == 1

    def set(self) -> None:
        self._shared[0] = 1
