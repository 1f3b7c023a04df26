"""An EC2 instance: files, processes, network and memory of its own, beneath one folder of this machine."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ebtools.rehearse import logs
from ebtools.rehearse.cgroup import Cgroup
from ebtools.rehearse.region import Node, RegionError, run

WEBAPP, NGINX = 900, 996
# What a t3.small shows of its 2 GiB.
MEMORY_BYTES = 1_920 * 1024 * 1024
PATIENCE_SECONDS = 20
RESUMES = 5
# Of the disk that is the instance's own, enough for what the package's hook asks for.
DISK = "640m"
# Programs and libraries of this machine, which instances read and cannot change.
_SHARED = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/alternatives", "/etc/ssl", "/etc/ld.so.cache")
# What is left of root's power within; without the rest, nothing that is mounted read-only can be mounted otherwise.
_CAPABILITIES = (
    "chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "net_bind_service", "net_raw",
    "sys_chroot", "audit_write", "setfcap", "sys_nice", "sys_resource",
)  # fmt: skip
# Switches of this machine's kernel, which root's number alone may set, as that number is the same within.
_SWITCHES = tuple(f"/proc/{name}" for name in ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi"))
_OWN = ("var", "opt", "run", "tmp", "home", "etc", "root")
_PASSWD = f"""root:x:0:0:root:/root:/bin/bash
webapp:x:{WEBAPP}:{WEBAPP}::/home/webapp:/sbin/nologin
nginx:x:{NGINX}:{NGINX}::/var/lib/nginx:/sbin/nologin
nobody:x:65534:65534:nobody:/:/sbin/nologin
"""
_GROUP = f"root:x:0:\nwebapp:x:{WEBAPP}:\nnginx:x:{NGINX}:\nnogroup:x:65534:\n"
_FOLDERS = (
    "var/app", "var/pids", "var/log/nginx/healthd", "var/proxy/staging", "var/lib/nginx", "var/cache", "var/tmp",
    "opt/elasticbeanstalk/deployment", "opt/elasticbeanstalk/bin", "home/webapp", "etc/nginx",
)  # fmt: skip


class Service(Protocol):
    """What runs on an instance for as long as it does."""

    def stop(self) -> None:
        """End it in order, and wait until it has."""

    def forget(self) -> None:
        """It has ended with its instance."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended within the instance."""

    code: int
    output: str

    @property
    def last_line(self) -> str:
        lines = [line for line in self.output.splitlines() if line.strip()]
        return lines[-1].strip() if lines else f"exit {self.code}"

    @property
    def last_lines(self) -> str:
        """Its last three, as the reason of a failure often stands before what it led to."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return " / ".join(lines[-3:])[-400:] or f"exit {self.code}"


@dataclass(slots=True)
class Instance:
    """A machine; `root` is its file system as it is seen from outside. Started once, ended once."""

    name: str
    node: Node
    folder: Path
    hosts: Path
    venvs: Path
    # Of the rehearsal, by which its groups of processes are known.
    run_name: str
    memory: int = MEMORY_BYTES
    cgroup: Cgroup = field(init=False)
    init: int = 0
    services: list[Service] = field(default_factory=list)
    _holder: "subprocess.Popen[bytes] | None" = None

    @property
    def address(self) -> str:
        return self.node.address

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def start(self) -> None:
        """Boot: an empty machine with the platform's folders and accounts; raises RegionError."""
        self._make_files()
        self.cgroup = Cgroup.create(f"{self.run_name}-{self.name}", self.memory)
        reading, writing = os.pipe()
        waiting, going = os.pipe()
        command = ["bwrap", "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
        command += ["--hostname", self.name, "--info-fd", str(writing), "--userns-block-fd", str(waiting)]
        with (self.folder / "init.log").open("wb") as log, os.fdopen(going, "wb") as go:
            self._holder = subprocess.Popen(
                self.cgroup.argv(self.node.argv([*command, *self._mounts(), "--", "sleep", "infinity"])),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(writing, waiting),
                start_new_session=True,
            )
            os.close(writing)
            os.close(waiting)
            with os.fdopen(reading) as told:
                text = told.read()
            if not text:
                raise RegionError(f"{self.name} does not start: {(self.folder / 'init.log').read_text().strip()}")
            self.init = int(json.loads(text)["child-pid"])
            for name in ("uid_map", "gid_map"):
                # Every account has its own number within as well, so that files have the same owners on both sides.
                Path(f"/proc/{self.init}/{name}").write_text("0 0 65536")
            go.write(b"go on")
        self._wait_until_it_stands()

    def _wait_until_it_stands(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.run(["test", "-d", "/var/app"], timeout=5).code != 0:
            if time.monotonic() > deadline:
                raise RegionError(f"{self.name} does not come up")
            time.sleep(0.02)

    def _make_files(self) -> None:
        (self.root / "var").mkdir(parents=True)
        run(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "tmpfs", str(self.root / "var")])
        for name in (*_OWN, *_FOLDERS):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        if not (self.root / "var/run").is_symlink():
            (self.root / "var/run").symlink_to("/run")
        # Where Python is mounted: what is made for a mount by itself is closed to all but root.
        (self.root / sys.base_prefix.lstrip("/")).mkdir(parents=True, exist_ok=True)
        (self.root / "tmp").chmod(0o1777)
        (self.root / "var/tmp").chmod(0o1777)
        for name in ("home/webapp", "var/app"):
            os.chown(self.root / name, WEBAPP, WEBAPP)
        etc = self.root / "etc"
        (etc / "passwd").write_text(_PASSWD)
        (etc / "group").write_text(_GROUP)
        (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
        (etc / "hosts").touch()
        (self.root / "meminfo").write_text(_meminfo(self.memory))

    def _mounts(self) -> list[str]:
        mounts: list[str] = []
        for name in _OWN:
            mounts += ["--bind", str(self.root / name), f"/{name}"]
        for name in (path for path in _SHARED if Path(path).exists()):
            place = Path(name)
            mounts += ["--symlink", str(place.readlink()), name] if place.is_symlink() else ["--ro-bind", name, name]
        if not Path(sys.base_prefix).is_relative_to("/usr"):
            mounts += ["--ro-bind", sys.base_prefix, sys.base_prefix]
        mounts += ["--ro-bind", str(self.hosts), "/etc/hosts", "--ro-bind", str(self.venvs), "/var/app/venv"]
        mounts += _sh_as_on_amazon_linux()
        mounts += ["--dev", "/dev", "--proc", "/proc", "--ro-bind", str(self.root / "meminfo"), "/proc/meminfo"]
        for name in _SWITCHES:
            mounts += ["--ro-bind-try", name, name]
        return mounts

    def argv(self, command: Sequence[str], *, folder: str = "/", user: str = "root") -> list[str]:
        """The command as it runs within, in this folder as this user, and in the instance's memory."""
        entered = ["nsenter", "--target", str(self.init)]
        entered += ["--user", "--mount", "--pid", "--net", "--uts", "--ipc", "--"]
        entered += ["setpriv", "--bounding-set", ",".join(["-all", *(f"+{name}" for name in _CAPABILITIES)]), "--"]
        if user == "webapp":
            entered += ["setpriv", f"--reuid={WEBAPP}", f"--regid={WEBAPP}", "--clear-groups", "--"]
        return self.cgroup.argv([*entered, "env", "-C", folder, *command])

    def run(
        self,
        command: Sequence[str],
        *,
        folder: str = "/",
        environ: Mapping[str, str] | None = None,
        user: str = "root",
        timeout: float = 60,
    ) -> Done:
        """Run it to its end, for at most so many seconds; it is ended then, with code 124."""
        limited = ["timeout", "--kill-after=5", str(timeout), *command]
        try:
            done = subprocess.run(
                self.argv(limited, folder=folder, user=user),
                env={"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root", **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                timeout=timeout + 15,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            return Done(124, (error.stdout or b"").decode(errors="replace"))
        return Done(done.returncode, done.stdout.decode(errors="replace"))

    @contextlib.contextmanager
    def yielding(self) -> Iterator[None]:
        """All within yields the processors to all else, until it is done.

        On AWS an instance that starts or ends has processors of its own, and takes none from those that serve.
        """
        self.cgroup.set_yielding(True)
        try:
            yield
        finally:
            self.cgroup.set_yielding(False)

    def pause(self) -> None:
        """As a host that hangs: connections stay open, and nothing is answered."""
        self.cgroup.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on; told several times, since nsenter stops itself as well once it learns that its child was stopped."""
        for _ in range(RESUMES):
            self.cgroup.signal(signal.SIGCONT)
            time.sleep(0.02)

    def kill(self) -> None:
        """As a host that is gone: no process ends in order, and its address falls silent."""
        with contextlib.suppress(RegionError):
            self.node.unplug()
        self.cgroup.kill()
        self._end()

    def terminate(self) -> None:
        """As the Auto Scaling group ends it: services are told to stop, in the time that a shutdown gives them."""
        with self.yielding():
            for service in reversed(self.services):
                service.stop()
            self.cgroup.kill()
        self._end()

    def _end(self) -> None:
        for service in self.services:
            service.forget()
        if self._holder is not None:
            self._holder.kill()
            self._holder.wait(PATIENCE_SECONDS)
            self._holder = None
        self.cgroup.remove()
        # /var lies in memory and ends with the machine; its logs are wanted when an act has failed.
        logs.keep_folder(self.root / "var/log", self.folder / "log")
        with contextlib.suppress(RegionError):
            run(["umount", "--lazy", str(self.root / "var")])

    def log(self, name: str, lines: int = 20) -> list[str]:
        """The end of a file in /var/log."""
        path = self.root / "var/log" / name
        return path.read_text(errors="replace").splitlines()[-lines:] if path.exists() else []


def _sh_as_on_amazon_linux() -> list[str]:
    """There sh is bash; elsewhere it may be a shell that refuses what bash takes, or takes what bash refuses."""
    sh, bash = os.path.realpath("/bin/sh"), os.path.realpath("/bin/bash")
    return [] if sh == bash else ["--ro-bind", bash, sh]


def _meminfo(limit: int) -> str:
    """This machine's own list, as a machine of that size would give it."""
    text = Path("/proc/meminfo").read_text()
    total = limit // 1024
    sizes = {
        "MemTotal": total,
        "MemFree": total * 7 // 10,
        "MemAvailable": total * 8 // 10,
        "SwapTotal": 0,
        "SwapFree": 0,
    }
    for name, size in sizes.items():
        text = re.sub(rf"^{name}:.*$", f"{name}: {size:>14} kB", text, flags=re.MULTILINE)
    return text


def make_hosts(path: Path, names: Mapping[str, str]) -> None:
    """Write the names that instances know; in place, since each has the file itself before it."""
    lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in names.items())]
    with path.open("r+" if path.exists() else "w") as file:
        file.seek(0)
        file.write("\n".join(lines) + "\n")
        file.truncate()
