"""The whole rehearsal of the real package: what passes, what a planted fault turns red, and what is left behind."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.rehearse.theirs import bundle

ROOT = Path(__file__).resolve().parents[2]
SHORT = ["--rate", "25", "--requests", "200", "--scale", "0.05", "--json"]
PATIENCE_SECONDS = 400

whole_machine = pytest.mark.usefixtures("whole_machine")
# In the order in which they are played; each is deployed over the one before.
PLAYED = (
    "rolling",
    "additional batch",
    "traffic splitting",
    "blue green",
    "worker killed",
    "password rotated",
    "files gone",
    "rolling fails at late hook",
    "blue green fails at hook",
)


def rehearse(folder: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """The exit status, the report and what was told meanwhile."""
    command = [sys.executable, "-m", "ebtools", "rehearse", *arguments, *SHORT, "--report", str(folder / "report")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    return done.returncode, json.loads(done.stdout), done.stderr


def told(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout


def state_of_the_machine() -> tuple[str, str, list[str], bool]:
    groups = sorted(str(path) for path in Path("/sys/fs/cgroup").glob("*fastier*"))
    for tree in ("memory", "cpu"):
        groups += sorted(str(path) for path in Path("/sys/fs/cgroup", tree).glob("*fastier*"))
    links = told(["ip", "-o", "link"])
    return links, Path("/proc/mounts").read_text(), groups, Path("/var/app").exists()


@whole_machine
def test_policies_and_faults_are_played_and_nothing_is_left_behind(tmp_path: Path) -> None:
    before = state_of_the_machine()
    status, report, said = rehearse(tmp_path, *PLAYED, "--instances", "2")
    assert status == 0, said
    assert [(act["name"], act["error"]) for act in report["acts"]] == [(name, "") for name in PLAYED]
    assert all(act["spans"] for act in report["acts"])
    page = (tmp_path / "report" / "index.html").read_text()
    assert page.count("<svg") == len(PLAYED)
    assert "passed" in page
    assert state_of_the_machine() == before


@whole_machine
def test_a_bundle_of_somebody_elses_is_played_with_its_own_paths_and_properties(tmp_path: Path) -> None:
    theirs = bundle(tmp_path / "theirs.zip")
    common = ["--archive", str(theirs), "--path", "/", "--path", "/about", "--instances", "2"]
    status, report, said = rehearse(tmp_path, "rolling", "immutable fails at proxy", *common, "--env", "GREETING=hello")
    assert status == 0, said
    first, second = report["acts"]
    assert first["failed"] == second["failed"] == 0
    assert first["sent"] >= 200
    # Without the property / is answered 500, /about not.
    status, report, said = rehearse(tmp_path, "rolling", *common)
    assert status == 1, said
    failed = report["acts"][0]["not_good"]
    assert failed
    assert {(one["path"], one["status"]) for one in failed} == {("/", 500)}


@whole_machine
@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ("hook", "planted: this hook fails"),
        ("migration", "10_migrate.sh"),
        ("proxy", "the proxy"),
        ("start", "not ready"),
        ("health", "/health/live is not answered as it should be"),
    ],
)
def test_a_version_with_a_fault_turns_its_act_red(tmp_path: Path, fault: str, line: str) -> None:
    status, report, said = rehearse(tmp_path, "immutable", "--plant", fault, "--instances", "1")
    assert status == 1, said
    (act,) = report["acts"]
    red = [check for check in act["checks"] if not check["passed"]]
    assert [check["name"] for check in red] == ["versions"], red
    assert line in red[0]["found"]
    # The new instance has ended since, and its disk with it.
    (engine,) = (tmp_path / "report" / act["logs"]).glob("i2/eb-engine.log")
    assert "failed" in engine.read_text() or fault in {"start", "health"}


@whole_machine
def test_a_migration_that_blocks_turns_its_act_red(tmp_path: Path) -> None:
    status, report, said = rehearse(tmp_path, "rolling", "--plant", "blocking", "--instances", "2")
    assert status == 1, said
    assert {check["name"] for check in report["acts"][0]["checks"] if not check["passed"]} >= {"refused requests"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["imutable"], "There is no act 'imutable'"),
        (["rolling", "rolling"], "'rolling' is named twice; each act is played once"),
        (["failover", "--path", "/"], "'failover' can be played with Fastier's own interface alone"),
        (["--archive", __file__], "is no zip archive that can be read"),
        (["--env", "GREETING"], "'GREETING' is not NAME=VALUE"),
        (["--scale", "0"], "'0' is not a number above 0"),
        (["--report", str(ROOT / "docs")], "holds other things than a report"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(arguments: list[str], told: str) -> None:
    command = [sys.executable, "-m", "ebtools", "rehearse", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_whoever_is_not_root_is_told_so() -> None:
    become = "" if os.geteuid() else "os.seteuid(65534); "
    script = f"import os; from ebtools.rehearse import region; {become}print(region.missing()[-1])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "a rehearsal needs root" in done.stdout
    assert "sudo -E make rehearse" in done.stdout
