"""Says what an EC2 instance type and a class of RDS offer, so that a plan for them can be checked without one."""

import json
from functools import cache
from pathlib import Path

from fastier.database.budget import FLEETS, max_connections
from fastier.web.sizing import Machine

__all__ = ["FLEETS", "Machine", "machine", "max_connections"]

# Type: [vCPUs, GiB of memory], as they are sold. An operating system sees a few percent less memory.
TABLE = Path(__file__).with_name("instance_types.json")
GIB = 1024**3


@cache
def _table() -> dict[str, tuple[int, float]]:
    read: dict[str, tuple[int, float]] = json.loads(TABLE.read_text())
    return read


def machine(instance_type: str) -> Machine | None:
    """Cores, and bytes of memory as sold; None for a type that is not in the table."""
    if instance_type not in _table():
        return None
    cores, gib = _table()[instance_type]
    return Machine(cores, int(gib * GIB))
