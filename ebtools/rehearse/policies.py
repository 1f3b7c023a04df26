"""The deployment policies of Elastic Beanstalk, and blue/green, as sequences of a fleet's steps."""

from collections.abc import Callable

from ebtools.rehearse.fleet import DeploymentStopped, Fleet, Member
from ebtools.rehearse.versions import Version

Deployment = Callable[[Fleet, Version], None]


def all_at_once(fleet: Fleet, version: Version) -> None:
    """All instances in place and at the same time, without telling the load balancer."""
    fleet.redeploy(fleet.members, version, is_leading=True)
    fleet.watch(fleet.members)


def rolling(fleet: Fleet, version: Version) -> None:
    """Batch after batch in place, each out of the load balancer meanwhile; a failure leaves what is done."""
    _in_batches(fleet, list(fleet.members), version, is_leading=True)
    fleet.watch(fleet.members)


def additional_batch(fleet: Fleet, version: Version) -> None:
    """A batch of new instances first, so that capacity never sinks; as many old ones end at the last."""
    old = list(fleet.members)
    size = fleet.pace.batch
    # What a deployment that failed has left beyond the group's size ends too.
    kept = fleet.pace.instances - size
    fleet.bring_in(fleet.launch(version, size))
    _in_batches(fleet, old[:kept], version, is_leading=False)
    _end(fleet, old[kept:])
    fleet.watch(fleet.members)


def _in_batches(fleet: Fleet, members: list[Member], version: Version, *, is_leading: bool) -> None:
    size = fleet.pace.batch
    for begin in range(0, len(members), size):
        batch = members[begin : begin + size]
        fleet.take_out(batch)
        try:
            fleet.redeploy(batch, version, is_leading=is_leading and begin == 0)
        finally:
            # A batch that failed comes back with whatever it runs; the load balancer's checks judge it.
            fleet.bring_in(batch)


def immutable(fleet: Fleet, version: Version) -> None:
    """One new instance, then as many as there were, in a group of their own; the old ones end when all are well."""
    old = list(fleet.members)
    with _Undone(fleet, old):
        for how_many in (1, len(old) - 1):
            launched = fleet.launch(version, how_many)
            fleet.bring_in(launched)
            fleet.watch([member for member in fleet.members if member not in old])
    _end(fleet, old)


def traffic_splitting(fleet: Fleet, version: Version) -> None:
    """As many new instances, which get a part of the requests for a while before they get all of them."""
    old = list(fleet.members)
    percent = fleet.pace.split_percent
    with _Undone(fleet, old):
        new = fleet.launch(version, len(old), "canary")
        fleet.bring_in(new)
        fleet.balancer.set_weights({"main": 100 - percent, "canary": percent})
        fleet.journal.moment("balancer", f"{percent} of 100 requests go to {version.name}")
        fleet.watch(new, at_least=fleet.pace.split_seconds)
        fleet.balancer.set_weights({"main": 0, "canary": 100})
        fleet.journal.moment("balancer", f"all requests go to {version.name}")
    _end(fleet, old)
    fleet.adopt(new)


class _Undone:
    """Ends the new instances when what happens within fails, so that the old ones are all that is left."""

    def __init__(self, fleet: Fleet, old: list[Member]) -> None:
        self.fleet, self.old = fleet, old

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if error is None:
            return
        new = [member for member in self.fleet.members if member not in self.old]
        self.fleet.journal.moment("deploy", f"failed, and is undone: {error}")
        self.fleet.balancer.set_weights({"main": 100, "canary": 0})
        _end(self.fleet, new)
        raise DeploymentStopped(f"{error}; rolled back") from error


def _end(fleet: Fleet, members: list[Member]) -> None:
    fleet.take_out(members)
    fleet.terminate(members)


POLICIES: dict[str, Deployment] = {
    "all at once": all_at_once,
    "rolling": rolling,
    "additional batch": additional_batch,
    "immutable": immutable,
    "traffic splitting": traffic_splitting,
}
# What the platform undoes by itself when it fails; the others leave what they have done.
ROLL_BACK = ("immutable", "traffic splitting", "blue green")
