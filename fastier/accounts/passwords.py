"""Password hashes: argon2id, with a bound on how many are computed at once, so that memory has one too."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from fastier.errors import Unavailable

# 19 MiB and two passes on one lane: OWASP's first choice, some 25 ms of one core.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16, type=Type.ID)
_TURN_SECONDS = 3.0

# A worker computes one hash at a time, always on the same thread: on any other, the allocator would keep the 19 MiB
# for that thread's next hash, and a storm of sign-ins would leave them behind for every thread there is. The thread is
# started by the first hash, and so in the worker, not before the fork.
_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")

# What is verified for an address that nobody has, so that the answer takes as long as for one that somebody has.
_NOBODY = _HASHER.hash("the password of nobody")

Result = TypeVar("Result")


def _in_turn(work: Callable[[], Result]) -> Result:
    """Do this when those before it are done; Unavailable when that takes too long."""
    answer = _thread.submit(work)
    try:
        return answer.result(_TURN_SECONDS)
    except NotInTime:
        answer.cancel()
        raise Unavailable(
            "Too many people are signing in right now; try again in a moment.", code="sign_in_busy"
        ) from None


def hash_password(password: str) -> str:
    """The password's argon2id hash, with its parameters and salt in it."""
    return _in_turn(lambda: _HASHER.hash(password))


def verify_password(known_hash: str | None, password: str) -> bool:
    """Whether the password is the hash's; None takes as long, and is never right."""

    def verify() -> bool:
        try:
            return _HASHER.verify(known_hash or _NOBODY, password) and known_hash is not None
        except (VerificationError, InvalidHashError):
            return False

    return _in_turn(verify)


def is_outdated(known_hash: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(known_hash)
