"""Counts the connections that a whole environment can open at once, and those that its database has."""

from dataclasses import dataclass

# The job runner of an instance has this many; it is the size of its pool.
JOB_CONNECTIONS = 4
# One that migrates and one that makes the roles, and what people and their tools open.
MIGRATION_CONNECTIONS = 2
OPERATOR_CONNECTIONS = 5
# An immutable or blue/green deployment runs the old instances and as many new ones at the same time.
FLEETS = 2

# The formula of RDS's default parameter group, `LEAST({DBInstanceClassMemory/9531392}, 5000)`.
BYTES_PER_CONNECTION = 9_531_392
MOST_CONNECTIONS = 5000
# DBInstanceClassMemory is what the class is sold with, less what its operating system and RDS's own processes take; how
# much that is, is not published. 300 MiB and 5 % of the rest stay below every figure that users have reported.
SYSTEM_BYTES = 300 * 1024**2
USABLE = 0.95
# PostgreSQL's superuser_reserved_connections and RDS's own reserve, and the sessions of its agents.
RESERVED_CONNECTIONS = 3 + 2 + 4
# A quarter of what is used stays free: a fleet that is restarted overlaps with what it leaves behind.
HEADROOM = 0.8

_GIB = 1024**3
# GiB of the size "large" in each family; every other size is a multiple or a fraction of it.
_GIB_OF_LARGE = {
    **dict.fromkeys(("t3", "t4g", "m5", "m6g", "m6gd", "m6i", "m7g", "m7i", "m8g"), 8),
    **dict.fromkeys(("r5", "r6g", "r6gd", "r6i", "r7g", "r7i", "r8g"), 16),
}
_LARGES = {
    "micro": 0.125,
    "small": 0.25,
    "medium": 0.5,
    "large": 1,
    "xlarge": 2,
    **{f"{number}xlarge": 2 * number for number in (2, 4, 8, 12, 16, 24, 32, 48)},
}


@dataclass(frozen=True, slots=True)
class Demand:
    """Connections that can be open at once, in every part of the environment together."""

    web: int
    jobs: int
    migration: int = MIGRATION_CONNECTIONS
    operators: int = OPERATOR_CONNECTIONS

    @property
    def total(self) -> int:
        return self.web + self.jobs + self.migration + self.operators


def demand(*, instances: int, workers: int, pool: int, fleets: int = FLEETS) -> Demand:
    """What `instances` at most need, each with `workers` that hold `pool` connections, while `fleets` of them run."""
    return Demand(web=instances * fleets * workers * pool, jobs=instances * fleets * JOB_CONNECTIONS)


def memory(db_class: str) -> int | None:
    """Bytes that a class such as "db.t4g.small" is sold with; None for one that is not known here."""
    family, _, size = db_class.removeprefix("db.").partition(".")
    if family not in _GIB_OF_LARGE or size not in _LARGES:
        return None
    return int(_GIB_OF_LARGE[family] * _LARGES[size] * _GIB)


def max_connections(db_class: str) -> int | None:
    """At least this many the class allows by RDS's default; None for an unknown one."""
    sold = memory(db_class)
    if sold is None:
        return None
    return min(int((sold - SYSTEM_BYTES) * USABLE) // BYTES_PER_CONNECTION, MOST_CONNECTIONS)


def capacity(db_class: str) -> int | None:
    """How many of them may be planned for; None for an unknown class."""
    limit = max_connections(db_class)
    return None if limit is None else int(HEADROOM * (limit - RESERVED_CONNECTIONS))


def faults(needed: Demand, db_class: str) -> list[str]:
    """Why this demand does not fit that class, in words; empty when it does."""
    available = capacity(db_class)
    if available is None:
        return [f"the memory of {db_class} is not known, so its connections cannot be counted"]
    if needed.total <= available:
        return []
    return [
        f"{needed.total} database connections can be open at once ({needed.web} web, {needed.jobs} jobs, "
        f"{needed.migration} migration, {needed.operators} operators), and {db_class} has room for {available}"
    ]
