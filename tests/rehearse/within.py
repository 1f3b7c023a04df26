"""Runs within a region of its own, and prints what it saw of machines, processes and deployments as JSON."""

import json
import os
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ebtools.rehearse.cgroup import Cgroup
from ebtools.rehearse.engine import DeploymentFailed, Engine
from ebtools.rehearse.instance import Instance, make_hosts
from ebtools.rehearse.processes import Unit
from ebtools.rehearse.region import GATEWAY, Region

# What root within an instance might try against this machine; none does harm where it succeeds.
ESCAPES = (
    "touch /usr/bin/planted",
    "mount -o remount,bind,rw /usr",
    "unshare --user --map-root-user --mount mount -o remount,bind,rw /usr",
    "mknod /tmp/disk b 8 0",
    "cat /proc/sys/vm/swappiness > /proc/sys/vm/swappiness",
    "echo h > /proc/sysrq-trigger",
)
ENVIRON = {"PATH": "/usr/bin:/bin"}
APPLICATION = """import http.server, os, signal, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(open("/var/app/current/version").read().encode())
signal.signal(signal.SIGTERM, lambda *_: (print("asked to stop", flush=True), sys.exit(0)))
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
HOOK = """#!/bin/bash
echo "$0 $(pwd) $(id -un) $COLOUR $EB_IS_COMMAND_LEADER" >> /var/log/hooks
"""
EXTENSION = """files:
  "/etc/fastier-test":
    mode: "000640"
    content: "written by ebextensions"
packages:
  yum: {jq: []}
commands:
  01_first: {command: "echo commands $(pwd) >> /var/log/hooks"}
container_commands:
  02_second: {command: "[[ $PWD == /var/* ]] && echo container $PWD >> /var/log/hooks"}
  01_leader: {command: "echo leader $(pwd) >> /var/log/hooks", leader_only: true}
  03_ignored: {command: "exit 3", ignoreErrors: true}
"""


def bundle(path: Path, version: str, **more: str) -> Path:
    """An archive of a small application with a hook for each moment."""
    files = {
        "application.py": APPLICATION,
        "version": version,
        "Procfile": "web: python3 application.py\n",
        ".ebextensions/01.config": EXTENSION,
        **{f".platform/hooks/{when}/10_tell.sh": HOOK for when in ("prebuild", "predeploy", "postdeploy")},
        **more,
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def until(holds: Callable[[], Any], seconds: float = 15) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := holds()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def machines(region: Region, first: Instance, second: Instance, seen: dict[str, Any]) -> None:
    """What an instance sees, and what others see of it when it is unplugged, paused or killed."""
    first.run(["sh", "-c", "echo mine > /var/app/mine"])
    seen["others see my files"] = second.run(["cat", "/var/app/mine"]).code == 0
    seen["user"] = first.run(["id", "-un"], user="webapp").output.strip()
    seen["succeeded"] = [attempt for attempt in ESCAPES if first.run(["sh", "-c", attempt]).code == 0]
    seen["shared"] = [
        kind
        for kind in ("user", "mnt", "net", "pid", "ipc", "uts")
        if len({os.readlink(f"/proc/self/ns/{kind}"), _namespace(first, kind), _namespace(second, kind)}) < 3
    ]
    seen["memory"] = int(first.run(["awk", "/MemTotal/ { print $2 }", "/proc/meminfo"]).output) * 1024
    seen["name"] = first.run(["getent", "hosts", "database"]).output.split()[0]
    server = Unit(second, "server", ["python3", "-m", "http.server", "80"], ENVIRON)
    server.start()
    second.services.append(server)
    ask = ["curl", "--silent", "--max-time", "2", "--output", "/dev/null", f"http://{second.address}/"]
    seen["reached"] = until(lambda: first.run(ask).code == 0)
    second.node.unplug()
    seen["unplugged"] = first.run(ask).code
    second.node.plug()
    seen["plugged"] = until(lambda: first.run(ask).code == 0)
    second.pause()
    seen["paused"] = first.run(ask).code
    second.resume()
    seen["resumed"] = until(lambda: first.run(ask).code == 0)
    second.run(["sh", "-c", "kill -9 $(cat /var/pids/server.pid)"])
    seen["watched again"] = until(lambda: len(server.starts) == 2) and until(lambda: first.run(ask).code == 0)
    hog = first.run(["python3", "-c", "b = []\nwhile True: b.append(bytearray(b'x' * 2**24))"], timeout=30)
    seen["hog"], seen["killed for memory"] = hog.code, first.cgroup.kills
    seen["still there"] = first.run(["true"]).code == 0
    pids = second.cgroup.pids()
    second.kill()
    until(lambda: not any(map(_lives, pids)))
    seen["left after the kill"] = [pid for pid in pids if _lives(pid)]


def _namespace(instance: Instance, kind: str) -> str:
    return instance.run(["readlink", f"/proc/self/ns/{kind}"]).output.strip()


def _watch(group: Cgroup, done: threading.Event) -> bool:
    """Whether it yielded at some moment until then."""
    return bool(until(lambda: group.yields or done.is_set())) and group.yields


def _stat(pid: int) -> str:
    """The fields behind the name, of which the first is the state."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1]


def _lives(pid: int) -> bool:
    """Not one that has ended and that its parent has not asked about yet."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and _stat(pid).split()[0] != "Z"


def processes(instance: Instance, seen: dict[str, Any]) -> None:
    """What becomes of a program that ends, of one that always does, and of one that is stopped."""
    unit = Unit(instance, "lives", ["sleep", "1000"], ENVIRON, user="webapp")
    unit.start()
    before = until(
        lambda: (instance.root / "var/pids/lives.pid").exists() and instance.run(["cat", "/var/pids/lives.pid"]).output
    )
    instance.run(["kill", "-9", before.strip()])
    until(lambda: len(unit.starts) == 2)
    seen["started again"] = len(unit.starts)
    # Enough of them that some are still stopped when those that wait for them go on.
    others = [Unit(instance, f"lives{number}", ["sleep", "1000"], ENVIRON) for number in range(12)]
    for other in others:
        other.start()
    until(lambda: len(list((instance.root / "var/pids").glob("lives?*.pid"))) == len(others))
    for _ in range(5):
        instance.pause()
        time.sleep(0.05)
        instance.resume()
    time.sleep(0.1)
    seen["still stopped"] = [pid for pid in instance.cgroup.pids() if _stat(pid).split()[0] == "T"]
    instance.pause()
    unit.stop()
    instance.resume()
    seen["stopped"] = (unit.is_running, len(unit.starts))
    for other in others:
        other.stop()
    unit = Unit(instance, "dies", ["false"], ENVIRON)
    unit.start()
    seen["given up"] = (until(lambda: unit.has_given_up), len(unit.starts))
    unit.forget()


def deployments(instance: Instance, folder: Path, seen: dict[str, Any]) -> None:
    """Where hooks and commands run, what a version is replaced by, and what stops a deployment."""
    engine = Engine(instance, {"COLOUR": "green"}, 60)
    done = threading.Event()
    watching = ThreadPoolExecutor(1).submit(_watch, instance.cgroup, done)
    engine.deploy(bundle(folder / "1.zip", "one"), is_leader=True)
    done.set()
    seen["yielded"] = (watching.result(), instance.cgroup.yields)
    seen["hooks"] = (instance.root / "var/log/hooks").read_text().splitlines()
    seen["file"] = instance.run(["stat", "-c", "%a %U", "/etc/fastier-test"]).output.strip()
    seen["not imitated"] = sorted(engine.not_imitated)
    # As on AWS, nginx answers before the application does; that is a 502, and not what is asked for here.
    ask = ["curl", "--silent", "--fail", "--max-time", "5", "http://127.0.0.1/"]
    seen["first"] = until(lambda: (found := instance.run(ask)).code == 0 and found.output)
    engine.deploy(bundle(folder / "2.zip", "two"), is_leader=False)
    until(lambda: instance.run(ask).output == "two")
    seen["second"] = instance.run(ask).output
    seen["asked to stop"] = "asked to stop" in instance.log("web.stdout.log")
    faults = {
        "hook": {".platform/hooks/predeploy/20_fails.sh": "#!/bin/bash\necho broken by hand >&2\nexit 4\n"},
        "proxy": {".platform/nginx/conf.d/bad.conf": "nonsense on;\n"},
        "command": {".ebextensions/02.config": "container_commands: {09_bad: {command: 'echo no >&2; exit 2'}}\n"},
    }
    for name, files in faults.items():
        try:
            engine.deploy(bundle(folder / f"{name}.zip", name, **files), is_leader=False)
        except DeploymentFailed as error:
            seen[f"fails at {name}"] = str(error)
        seen[f"serves after {name}"] = instance.run(ask).output


def main() -> int:
    folder = Path(sys.argv[1])
    region = Region(folder / "region")
    region.folder.mkdir(mode=0o755)
    region.open()
    make_hosts(folder / "hosts", {"database": GATEWAY})
    (folder / "venvs").mkdir()
    seen: dict[str, Any] = {}
    made = []
    try:
        for name in ("one", "two", "three"):
            instance = Instance(name, region.node(name), folder / name, folder / "hosts", folder / "venvs", folder.name)
            instance.start()
            made.append(instance)
        addresses = [one.node.address for one in made] + [region.gateway() for _ in range(3)]
        seen["addresses"] = len(set(addresses)) == 6 and GATEWAY not in addresses
        machines(region, made[0], made[1], seen)
        processes(made[0], seen)
        deployments(made[2], folder, seen)
    finally:
        for instance in (made[0], *made[2:]):
            instance.terminate()
    print(json.dumps(seen))
    return 0


if __name__ == "__main__":
    sys.exit(main())
