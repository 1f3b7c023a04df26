"""Machines of a rehearsal are machines of their own, and the platform's steps are taken on them in its order."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ebtools.rehearse import region
from ebtools.rehearse.cgroup import Cgroup
from ebtools.rehearse.engine import CURRENT, STAGING
from ebtools.rehearse.instance import MEMORY_BYTES

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def seen(whole_machine: None) -> Iterator[dict[str, Any]]:
    """What `within` saw, in a region that has ended since."""
    with tempfile.TemporaryDirectory(prefix="fastier-machines-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        command = [sys.executable, "-m", "tests.rehearse.within", name]
        entering = f"from ebtools.rehearse import region; region.enter({command})"
        done = subprocess.run([sys.executable, "-c", entering], cwd=ROOT, capture_output=True, text=True, timeout=300)
        Cgroup.sweep(Path(name).name)
        assert done.stdout, done.stderr
        yield json.loads(done.stdout)


def test_root_within_an_instance_changes_nothing_outside(seen: dict[str, Any]) -> None:
    assert seen["succeeded"] == []


def test_an_instance_has_namespaces_of_its_own(seen: dict[str, Any]) -> None:
    assert seen["shared"] == []


def test_an_instance_has_its_own_files(seen: dict[str, Any]) -> None:
    assert not seen["others see my files"]
    assert seen["user"] == "webapp"
    assert seen["memory"] == MEMORY_BYTES
    assert seen["name"] == region.GATEWAY


def test_an_unplugged_machine_is_silent_and_not_refusing(seen: dict[str, Any]) -> None:
    # curl's 28 is a timeout; 7 would be a refusal.
    assert (seen["reached"], seen["unplugged"], seen["plugged"]) == (True, 28, True)


def test_a_paused_machine_answers_again_when_it_goes_on(seen: dict[str, Any]) -> None:
    assert (seen["paused"], seen["resumed"]) == (28, True)


def test_a_service_that_ends_after_its_machine_hung_is_started_again(seen: dict[str, Any]) -> None:
    assert seen["watched again"]


def test_what_takes_all_memory_is_ended_and_nothing_else(seen: dict[str, Any]) -> None:
    assert seen["hog"] in (-9, 137)
    assert seen["killed for memory"] >= 1
    assert seen["still there"]


def test_nothing_of_a_killed_machine_is_left(seen: dict[str, Any]) -> None:
    assert seen["left after the kill"] == []


def test_no_address_is_given_twice(seen: dict[str, Any]) -> None:
    assert seen["addresses"]


def test_a_process_that_ends_is_started_again_until_it_is_stopped(seen: dict[str, Any]) -> None:
    assert seen["started again"] == 2
    assert seen["stopped"] == [False, 2]


def test_none_stands_still_after_its_machine_hung(seen: dict[str, Any]) -> None:
    assert seen["still stopped"] == []


def test_one_that_always_ends_is_given_up(seen: dict[str, Any]) -> None:
    assert seen["given up"] == [True, 5]


def test_commands_and_hooks_run_in_the_platforms_order_and_places(seen: dict[str, Any]) -> None:
    assert seen["hooks"] == [
        "commands /",
        f"{STAGING}/.platform/hooks/prebuild/10_tell.sh {STAGING} root green true",
        f"leader {STAGING}",
        f"container {STAGING}",
        f"{STAGING}/.platform/hooks/predeploy/10_tell.sh {STAGING} root green true",
        f"{CURRENT}/.platform/hooks/postdeploy/10_tell.sh {CURRENT} root green true",
    ]
    assert seen["file"] == "640 root"
    assert seen["not imitated"] == ["packages of yum and rpm"]


def test_what_starts_yields_the_processors_and_what_serves_does_not(seen: dict[str, Any]) -> None:
    assert seen["yielded"] == [True, False]


def test_a_new_version_takes_the_place_of_the_old_which_is_asked_to_stop(seen: dict[str, Any]) -> None:
    assert (seen["first"], seen["second"], seen["asked to stop"]) == ("one", "two", True)


def test_what_fails_before_the_flip_leaves_the_old_version_serving(seen: dict[str, Any]) -> None:
    assert seen["fails at hook"].endswith("broken by hand")
    assert seen["serves after hook"] == "two"


def test_what_fails_after_it_leaves_the_instance_as_it_is(seen: dict[str, Any]) -> None:
    # The platform finds a wrong proxy only when it has stopped the old one.
    assert "nginx" in seen["fails at proxy"]
    assert seen["serves after proxy"] == ""


def test_a_container_command_that_fails_stops_the_deployment(seen: dict[str, Any]) -> None:
    assert "09_bad" in seen["fails at command"]
