"""Chooses the account that PostgreSQL runs as, since it refuses to run as root."""

import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Account:
    """A user to drop to, without any further group."""

    uid: int
    gid: int

    def popen_arguments(self) -> dict[str, Any]:
        """What makes `subprocess` start a program as this account, in a folder that it can reach."""
        return {"user": self.uid, "group": self.gid, "extra_groups": [], "cwd": "/"}

    def argv(self, command: Sequence[str]) -> list[str]:
        """The command as this account, for where what comes before it needs our rights; only on Linux."""
        identity = [f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]
        # The kernel forgets who ends with us when the account changes.
        return ["setpriv", *identity, "--pdeathsig=keep", "--", *command]

    def own(self, path: Path) -> None:
        os.chown(path, self.uid, self.gid)

    def can_pass(self, folder: Path) -> bool:
        """Whether it can go through `folder` and all its parents; one that is not made yet counts as passable."""
        folder = folder.resolve()
        return all(self._may_pass(parent.stat()) for parent in (folder, *folder.parents) if parent.exists())

    def _may_pass(self, facts: os.stat_result) -> bool:
        if facts.st_uid == self.uid:
            return bool(facts.st_mode & 0o100)
        return bool(facts.st_mode & (0o010 if facts.st_gid == self.gid else 0o001))


def server_account(data: Path) -> Account | None:
    """None, which means ourselves, unless we are root; then the owner of the data, or nobody."""
    if os.geteuid() != 0:
        return None
    if data.exists() and (facts := data.stat()).st_uid != 0:
        return Account(facts.st_uid, facts.st_gid)
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)
