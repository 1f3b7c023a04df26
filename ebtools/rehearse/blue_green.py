"""Blue/green: a second environment with a load balancer of its own, to which the name is moved."""

import time

from ebtools.rehearse.fleet import DeploymentStopped
from ebtools.rehearse.stage import Stage
from ebtools.rehearse.versions import Version


def blue_green(stage: Stage, version: Version) -> None:
    """Make the green environment, look at it, swap the names, and end the blue one when nobody asks it any more."""
    blue, blue_balancer = stage.fleet, stage.balancer
    green_balancer = stage.new_balancer(f"balancer-{version.name}", stage.region.gateway())
    green = stage.new_fleet(f"{version.name}-i", green_balancer)
    try:
        green.start(version, stage.pace.instances)
        green.watch(green.members)
    except DeploymentStopped as error:
        stage.journal.moment("deploy", f"the green environment is ended: {error}")
        green.terminate(list(green.members))
        green_balancer.stop()
        raise DeploymentStopped(f"{error}; nothing was swapped") from error
    stage.load.set_address(green_balancer.address, green_balancer.port)
    stage.journal.moment("balancer", "the name leads to the green environment")
    stage.fleet, stage.balancer = green, green_balancer
    # Resolvers keep the old address, and clients their connections, for a while.
    time.sleep(stage.pace.name_seconds + stage.pace.connection_seconds)
    blue.take_out(list(blue.members))
    blue.terminate(list(blue.members))
    stage.causes |= blue_balancer.causes()
    blue_balancer.stop()
    stage.journal.moment("deploy", "the blue environment is ended")
