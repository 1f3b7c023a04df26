"""Password hashes: argon2id, with a bound on how many are computed at once, so that memory has one too."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from fastier.errors import Unavailable

# 19 MiB and two passes on one lane: OWASP's first choice, some 25 ms of one core. One worker computes one hash at a
# time (there are as many workers as cores), so that a storm of sign-ins costs 19 MiB a worker and no more.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16, type=Type.ID)
_TURN_SECONDS = 3.0
_turn = threading.Lock()

# What is verified for an address that nobody has, so that the answer takes as long as for one that somebody has.
_NOBODY = _HASHER.hash("the password of nobody")


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    if not _turn.acquire(timeout=_TURN_SECONDS):
        raise Unavailable("Too many people are signing in right now; try again in a moment.", code="sign_in_busy")
    try:
        yield
    finally:
        _turn.release()


def hash_password(password: str) -> str:
    """The password's argon2id hash, with its parameters and salt in it."""
    with _one_at_a_time():
        return _HASHER.hash(password)


def verify_password(known_hash: str | None, password: str) -> bool:
    """Whether the password is the hash's; None takes as long, and is never right."""
    with _one_at_a_time():
        try:
            return _HASHER.verify(known_hash or _NOBODY, password) and known_hash is not None
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(known_hash: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(known_hash)
