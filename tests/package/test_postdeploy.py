"""The hook that fails a deployment which does not serve, on real processes behind a real nginx."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.package.instance import COMMIT, Instance
from tests.postgres import new_database

READY = "hooks/postdeploy/90_ready.sh"


@pytest.fixture(scope="module")
def instance(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """An instance whose processes all run."""
    made = Instance(tmp_path_factory.mktemp("instance"))
    # Whatever fails need not take as long here as an instance may.
    made.edit("jobs_seconds=30", "jobs_seconds=4")
    made.edit("steady_seconds=3", "steady_seconds=1")
    with made.serving(database_url):
        made.wait_for("jobs_started", "jobs")
        yield made


@pytest.fixture
def kept(instance: Instance) -> Iterator[Instance]:
    """The same, for tests that change files of the bundle or of the platform, which are put back."""
    pid = instance.pids / "jobs.pid"
    before = pid.read_text()
    yield instance
    pid.write_text(before)
    instance.name_commit(COMMIT)


def test_warming_up_reaches_the_database(instance: Instance) -> None:
    log = instance.folder / "web.log"
    before = log.stat().st_size
    assert instance.run(READY).returncode == 0
    with log.open() as file:
        file.seek(before)
        asked = [line for line in map(json.loads, file) if line.get("route") == "/api/v1/me"]
    assert len(asked) == 40
    assert {line["statements"] for line in asked} == {1}


@pytest.mark.parametrize("tree", ["hooks", "confighooks"])
def test_what_serves_and_runs_jobs_is_deployed(instance: Instance, database_url: str, tree: str) -> None:
    done = instance.run(f"{tree}/postdeploy/90_ready.sh")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Fastier: ready, serving and running jobs\n"
    assert sessions(database_url, f"fastier-web {COMMIT[:7]}") > 0


def sessions(url: str, name: str) -> int:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT count(*) FROM pg_stat_activity WHERE application_name = :name"), {"name": name}
        ).scalar_one()
    engine.dispose()
    return int(found)


def test_another_version_than_this_bundles_fails_the_deployment(kept: Instance) -> None:
    kept.name_commit("f" * 40)
    done = kept.run(READY)
    assert done.returncode == 1
    assert f"this bundle is commit {'f' * 40}" in done.stderr
    assert COMMIT in done.stderr


@pytest.mark.parametrize("pid", [None, "", "99999999", str(os.getpid())], ids=["missing", "empty", "gone", "reused"])
def test_without_a_job_runner_the_deployment_fails(kept: Instance, pid: str | None) -> None:
    if pid is None:
        (kept.pids / "jobs.pid").unlink()
    else:
        (kept.pids / "jobs.pid").write_text(pid)
    done = kept.run(READY)
    assert done.returncode == 1
    assert done.stderr.startswith("Fastier: the job runner does not stay up")


def test_a_job_runner_that_is_started_again_and_again_fails_the_deployment(kept: Instance) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(120)", "fastier jobs"]
    runners = [subprocess.Popen(command) for _ in range(2)]
    stop = threading.Event()

    def restart() -> None:
        for runner in cycle(runners):
            (kept.pids / "jobs.pid").write_text(str(runner.pid))
            if stop.wait(0.4):
                return

    restarting = threading.Thread(target=restart)
    restarting.start()
    try:
        done = kept.run(READY)
    finally:
        stop.set()
        restarting.join()
        for runner in runners:
            runner.kill()
            runner.wait()
    assert done.returncode == 1
    assert done.stderr.startswith("Fastier: the job runner does not stay up")


def test_a_schema_that_is_missing_fails_the_deployment_with_the_reason(database_url: str, tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    instance.edit("ready_seconds=90", "ready_seconds=5")
    with new_database(database_url) as url, instance.serving(url):
        done = instance.run(READY)
    assert done.returncode == 1
    assert "not ready after 5 s" in done.stderr
    assert "schema: the database is at None" in done.stderr


def test_where_nothing_listens_the_deployment_fails_in_time(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    instance.edit("ready_seconds=90", "ready_seconds=2")
    began = time.monotonic()
    done = instance.run(READY)
    assert done.returncode == 1
    assert "not ready after 2 s: curl: (7)" in done.stderr
    # Two seconds, the last try, and a busy machine.
    assert time.monotonic() - began < 20
