"""A world of its own for a rehearsal: namespaces with machines joined by a network, and nothing outside changes."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from ebtools.rehearse.cgroup import Cgroup

BRIDGE = "vpc"
NETWORK = "10.77"
GATEWAY = f"{NETWORK}.0.1"
# Set within the region, so that the command knows that it has arrived.
INSIDE = "FASTIER_REHEARSAL_REGION"
PATIENCE_SECONDS = 20
# Of memory, for the database twice over, the logs and what the load writes down.
DISK = "4g"
CLEANING_SECONDS = 60
UNSHARE = (
    "unshare",
    "--mount",
    "--net",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--propagation",
    "private",
)
_PACKAGES = {
    "bash": "bash",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "ip": "iproute2",
    "bwrap": "bubblewrap",
    "nginx": "nginx-light",
    "haproxy": "haproxy",
    "curl": "curl",
    "openssl": "openssl",
}


class RegionError(Exception):
    """A part of the region could not be made; the message says which, with the program's own words."""


def missing() -> list[str]:
    """What this machine lacks for a rehearsal, each with what mends it; empty when all is there."""
    if sys.platform != "linux":
        return ["a rehearsal needs Linux, for its namespaces"]
    lacking = [program for program in _PACKAGES if shutil.which(program, path=_PATH) is None]
    found = []
    if lacking:
        packages = " ".join(sorted({_PACKAGES[program] for program in lacking}))
        found.append(
            f"{', '.join(lacking)} not found; install it: make rehearse-packages, or apt-get install {packages}"
        )
    if os.geteuid() != 0:
        return [*found, "a rehearsal needs root, for namespaces and memory limits: sudo -E make rehearse"]
    return found or [fault for fault in (_namespaces(), Cgroup.fault()) if fault]


_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _namespaces() -> str:
    """Whether namespaces, a bridge and a pair of interfaces can be made; why not, otherwise."""
    network = "ip link add bridge0 type bridge && ip link add end0 type veth peer name end1"
    try:
        run([*UNSHARE, "sh", "-c", f"{network} && unshare --user true"])
    except RegionError as error:
        return f"namespaces are refused here, as in a container without --privileged: {error}"
    return ""


def enter(command: Sequence[str]) -> int:
    """Run a command in new namespaces, and tell it when we are asked to stop; its exit status."""
    # The first process of a namespace must ask after all that are left behind in it, which a shell does as it waits.
    whole = [*UNSHARE, "sh", "-c", '"$@"; exit $?', "sh", *command]
    process = subprocess.Popen(whole, env=environ(), start_new_session=True)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return process.wait()
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGINT)
        return _ended(process)
    finally:
        signal.signal(signal.SIGTERM, before)


def _ended(process: "subprocess.Popen[bytes]") -> int:
    """Its exit status once it has cleaned up; it is killed, with all that is within, when that takes too long."""
    try:
        return process.wait(CLEANING_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait(PATIENCE_SECONDS)


def environ() -> dict[str, str]:
    """What those within are to find in their environment."""
    return {**os.environ, "PATH": _PATH, INSIDE: "yes"}


def is_inside() -> bool:
    return os.environ.get(INSIDE) == "yes"


def run(command: Sequence[str], *, timeout: float = PATIENCE_SECONDS) -> str:
    """Run a program of the system; its output. Raises RegionError with its last line when it fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, env={**os.environ, "PATH": _PATH}, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RegionError(f"{command[0]}: {error}") from None
    if done.returncode != 0:
        told = (done.stderr or done.stdout).strip().splitlines()
        raise RegionError(f"{' '.join(command)}: {told[-1] if told else f'exit {done.returncode}'}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class Node:
    """A machine in the network: a namespace with one address."""

    name: str
    address: str

    def argv(self, command: Sequence[str]) -> list[str]:
        """The command as it runs in this node's network."""
        return ["ip", "netns", "exec", self.name, *command]

    def unplug(self) -> None:
        """Nothing leaves the node any more, and nobody is told: what is sent to it is met with silence."""
        run(self.argv(["ip", "route", "replace", "blackhole", f"{NETWORK}.0.0/16"]))

    def plug(self) -> None:
        """Undo `unplug`."""
        run(self.argv(["ip", "route", "replace", f"{NETWORK}.0.0/16", "dev", "eth0", "src", self.address]))


@dataclass(slots=True)
class Region:
    """The network of a rehearsal, within the namespaces that `enter` has made; everything it writes is in `folder`."""

    folder: Path
    nodes: dict[str, Node] = field(default_factory=dict)
    numbers: "count[int]" = field(default_factory=count)

    def open(self) -> None:
        """Make the network that all machines are joined to, and a disk in memory.

        Where a disk is shared by all, and by this machine's neighbours, a commit that takes a millisecond on a disk of
        its own waits for half a second now and then.
        """
        run(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "tmpfs", str(self.folder)])
        # Names of network namespaces lie in /run, which is the host's until it is covered.
        run(["mount", "-t", "tmpfs", "tmpfs", "/run"])
        run(["ip", "link", "set", "lo", "up"])
        run(["ip", "link", "add", BRIDGE, "type", "bridge"])
        run(["ip", "address", "add", f"{GATEWAY}/16", "dev", BRIDGE])
        run(["ip", "link", "set", BRIDGE, "up"])

    def node(self, name: str) -> Node:
        """A new machine."""
        node = Node(name, self._next_address())
        run(["ip", "netns", "add", name])
        run(["ip", "link", "add", f"v-{name}", "type", "veth", "peer", "name", "eth0", "netns", name])
        run(["ip", "link", "set", f"v-{name}", "master", BRIDGE, "up"])
        run(node.argv(["ip", "link", "set", "lo", "up"]))
        run(node.argv(["ip", "address", "add", f"{node.address}/16", "dev", "eth0"]))
        run(node.argv(["ip", "link", "set", "eth0", "up"]))
        # An instance's root is none of the network's, and could not listen on port 80.
        run(node.argv(["sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start"]))
        self.nodes[name] = node
        return node

    def gateway(self) -> str:
        """A further address of the region's own, such as that of a second load balancer."""
        address = self._next_address()
        run(["ip", "address", "add", f"{address}/16", "dev", BRIDGE])
        return address

    def _next_address(self) -> str:
        """None is given twice, as a machine that has gone may still be asked for."""
        number = next(self.numbers)
        return f"{NETWORK}.{number // 250}.{number % 250 + 2}"

    def remove(self, node: Node) -> None:
        """Take the machine out of the network; its processes must have ended."""
        run(["ip", "netns", "delete", node.name])
        del self.nodes[node.name]
