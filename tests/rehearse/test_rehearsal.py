"""The whole rehearsal of the real package: what passes, what a planted fault turns red, and what is left behind."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHORT = ["--rate", "25", "--requests", "200", "--scale", "0.05", "--json"]
PATIENCE_SECONDS = 400

pytestmark = pytest.mark.usefixtures("whole_machine")


def rehearse(folder: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """The exit status, the report and what was told meanwhile."""
    command = [sys.executable, "-m", "ebtools", "rehearse", *arguments, *SHORT, "--report", str(folder / "report")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    return done.returncode, json.loads(done.stdout), done.stderr


def told(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout


def state_of_the_machine() -> tuple[str, str, list[str], bool]:
    groups = sorted(str(path) for path in Path("/sys/fs/cgroup").glob("*fastier*"))
    groups += sorted(str(path) for path in Path("/sys/fs/cgroup/memory").glob("*fastier*"))
    links = told(["ip", "-o", "link"])
    return links, Path("/proc/mounts").read_text(), groups, Path("/var/app").exists()


def test_policies_and_faults_are_played_and_nothing_is_left_behind(tmp_path: Path) -> None:
    before = state_of_the_machine()
    status, report, said = rehearse(
        tmp_path, "rolling", "worker killed", "password rotated", "rolling fails at late hook", "--instances", "2"
    )
    assert status == 0, said
    assert [(act["name"], act["error"]) for act in report["acts"]] == [
        ("rolling", ""),
        ("worker killed", ""),
        ("password rotated", ""),
        ("rolling fails at late hook", ""),
    ]
    assert report["acts"][0]["spans"]
    page = (tmp_path / "report" / "index.html").read_text()
    assert page.count("<svg") == 4
    assert "passed" in page
    assert state_of_the_machine() == before


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


def test_a_migration_that_blocks_turns_its_act_red(tmp_path: Path) -> None:
    status, report, said = rehearse(tmp_path, "rolling", "--plant", "blocking", "--instances", "2")
    assert status == 1, said
    assert {check["name"] for check in report["acts"][0]["checks"] if not check["passed"]} >= {"refused requests"}


def test_an_act_that_there_is_not_is_refused() -> None:
    command = [sys.executable, "-m", "ebtools", "rehearse", "imutable"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "There is no act 'imutable'" in done.stderr
