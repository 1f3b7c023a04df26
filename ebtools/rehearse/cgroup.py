"""One machine's memory, its claim to processors and all its processes, held together by the kernel's control groups."""

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

_V1 = Path("/sys/fs/cgroup/memory")
_V1_PROCESSORS = Path("/sys/fs/cgroup/cpu")
_V2 = Path("/sys/fs/cgroup")
_CONTROLLERS = ("memory", "cpu")
PATIENCE_SECONDS = 10


class CgroupError(Exception):
    """The kernel refuses the group; the message says what."""


@dataclass(frozen=True, slots=True)
class Cgroup:
    """A group with a limit; `folder` is its place in the kernel's own file system, of version 1 or 2.

    In version 1 memory and processors have trees of their own, and the group has a folder of its name in both.
    """

    folder: Path

    @staticmethod
    def fault() -> str:
        """Why no such group can be made here; empty when one can."""
        try:
            Cgroup.create(f"fastier-rehearsal-check-{os.getpid()}", 64 * 1024 * 1024).remove()
        except CgroupError as error:
            return f"memory and processors cannot be shared out here: {error}"
        return ""

    @staticmethod
    def create(name: str, limit: int) -> "Cgroup":
        """A group beneath this process's own, with so many bytes of memory and no swap."""
        parent = _parent()
        group = Cgroup(parent / name)
        try:
            if parent == _V2:
                _allow(parent)
            for folder in group.folders:
                folder.mkdir()
            # Before Linux 5.15 there is no such file.
            (group._processors / "cpu.idle").write_text("0")
            (group.folder / group._name("limit")).write_text(str(limit))
            with contextlib.suppress(OSError):
                # Not every kernel counts swap.
                (group.folder / ("memory.swappiness" if group.is_v1 else "memory.swap.max")).write_text("0")
        except OSError as error:
            for folder in group.folders:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            raise CgroupError(f"{error.filename}: {error.strerror}") from None
        return group

    @staticmethod
    def sweep(prefix: str) -> None:
        """Remove the groups of a rehearsal that was ended before it could."""
        for folder in _parent().glob(f"{prefix}*"):
            group = Cgroup(folder)
            group.kill()
            group.remove()

    @property
    def is_v1(self) -> bool:
        return _V1 in self.folder.parents

    @property
    def folders(self) -> list[Path]:
        """Of memory and of processors, which are one in version 2."""
        return list(dict.fromkeys([self.folder, self._processors]))

    @property
    def _processors(self) -> Path:
        return _V1_PROCESSORS / self.folder.name if self.is_v1 else self.folder

    def _name(self, what: str) -> str:
        names = {"limit": "memory.limit_in_bytes", "used": "memory.usage_in_bytes"}
        return names[what] if self.is_v1 else {"limit": "memory.max", "used": "memory.current"}[what]

    def argv(self, command: list[str]) -> list[str]:
        """The command as it runs within the group."""
        joining = " && ".join(f"echo $$ > {folder}/cgroup.procs" for folder in self.folders)
        return ["sh", "-c", f'{joining} && exec "$@"', "sh", *command]

    @property
    def used(self) -> int:
        """Bytes of memory in use, with what the kernel has cached for it."""
        return int((self.folder / self._name("used")).read_text())

    @property
    def kills(self) -> int:
        """How often the kernel has ended a process of the group because its memory ran out."""
        name = "memory.oom_control" if self.is_v1 else "memory.events"
        lines = (self.folder / name).read_text().splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)

    def pids(self) -> list[int]:
        """Every process of the group, by its number in this namespace; 0 stands for one that is not seen here."""
        try:
            return [int(line) for line in (self.folder / "cgroup.procs").read_text().split() if line != "0"]
        except OSError:
            return []

    def signal(self, number: signal.Signals) -> None:
        """Send it to every process."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    @property
    def yields(self) -> bool:
        """Whether its processes get only what of the processors nobody else wants, and at once none when one does."""
        return (self._processors / "cpu.idle").read_text().strip() == "1"

    def set_yielding(self, value: bool) -> None:
        """Let them do so from now on, or claim their share again."""
        (self._processors / "cpu.idle").write_text(str(int(value)))

    def kill(self) -> None:
        """End every process at once; raises CgroupError when one will not go."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.pids():
            if time.monotonic() > deadline:
                raise CgroupError(f"processes {self.pids()} do not end")
            self.signal(signal.SIGKILL)
            time.sleep(0.02)

    def remove(self) -> None:
        """Give the empty group back to the kernel."""
        for folder in self.folders:
            _remove(folder)


def _remove(folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise CgroupError(f"{folder}: {error.strerror}") from None
            time.sleep(0.02)
        else:
            return


def _parent() -> Path:
    """Where this process's own group lies, as far as it is seen here; else the root."""
    if (_V1 / "cgroup.procs").exists():
        return _V1
    if not (_V2 / "cgroup.procs").exists():
        raise CgroupError("there is no /sys/fs/cgroup with control groups in it")
    return _V2


def _allow(parent: Path) -> None:
    """Let groups beneath this one share out memory and processors (version 2)."""
    allowed = (parent / "cgroup.subtree_control").read_text().split()
    for name in _CONTROLLERS:
        if name not in allowed:
            (parent / "cgroup.subtree_control").write_text(f"+{name}")
