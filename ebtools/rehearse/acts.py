"""Every act there is by its name, and which of them are played when none is named."""

from ebtools.rehearse import client_faults, database_faults, deployments, files_faults, instance_faults, scaling
from ebtools.rehearse.stage import Script
from ebtools.rehearse.versions import STOPPING

_OTHERS = (
    *instance_faults.SCRIPTS,
    *database_faults.SCRIPTS,
    *files_faults.SCRIPTS,
    *client_faults.SCRIPTS,
    *scaling.SCRIPTS,
)
# What every commit is rehearsed with.
FEW = ("immutable", "immutable fails at hook", "worker killed", "database restarted", "password rotated")


def all_acts() -> dict[str, Script]:
    """Each act by its name."""
    return {**deployments.scripts(), **{script.name: script for script in _OTHERS}}


# What shows in detail what others show too: those that wait for a start that never comes take a minute and more each.
LONG = (
    "all at once fails at late hook",
    "additional batch fails at late hook",
    "immutable fails at start",
    *(
        f"{policy} fails at {fault}"
        for policy in ("traffic splitting", "blue green")
        for fault in STOPPING
        if fault != "hook"
    ),
)
STANDARD = tuple(name for name in all_acts() if name not in LONG)
