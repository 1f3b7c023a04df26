"""A git repository to make bundles from."""

import argparse
import os
import subprocess
import zipfile
from pathlib import Path

from ebtools.bundle import command

COMMITTED = "2026-03-04T05:06:08+01:00"


class Repository:
    """A git repository in a folder of its own, with the least that makes a bundle."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        who = {"AUTHOR": "alice", "COMMITTER": "alice"}
        environ = {f"GIT_{role}_NAME": name for role, name in who.items()}
        environ |= {f"GIT_{role}_EMAIL": "alice@example.org" for role in who}
        environ |= {f"GIT_{role}_DATE": COMMITTED for role in who}
        environ |= {"PATH": os.environ["PATH"], "HOME": str(self.folder), "GIT_CONFIG_NOSYSTEM": "1"}
        line = ["git", "-C", str(self.folder), *arguments]
        return subprocess.run(line, env=environ, check=True, capture_output=True, text=True, timeout=60).stdout

    def put(self, path: str, content: str) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)

    def commit(self) -> str:
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--message", "Change something")
        return self.git("rev-parse", "HEAD").strip()


def bundle(root: Path, *arguments: str) -> int:
    """`python -m ebtools bundle` on another project than this one."""
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers(required=True))
    return command.run(parser.parse_args(["bundle", *arguments]), root)


def made(repository: Repository) -> zipfile.ZipFile:
    assert bundle(repository.folder) == 0
    return zipfile.ZipFile(repository.folder / "dist" / "fastier.zip")
