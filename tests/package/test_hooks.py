"""The hooks that the platform runs on an instance, and the Procfile."""

import os
import re
import subprocess
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy.engine import make_url

from ebtools.local import binaries
from tests.database.servers import owned_database, run, server
from tests.package.instance import Instance
from tests.postgres import new_database

ROOT = Path(__file__).resolve().parents[2]
HOOKS = sorted((ROOT / ".platform").glob("*hooks/*/*"))
MIGRATE = "hooks/predeploy/10_migrate.sh"
ROOM = "hooks/prebuild/01_room.sh"
# From the platform's documentation.
PROCFILE_LINE = re.compile(r"^[A-Za-z0-9_-]+:\s*[^\s].*$")


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: str(hook.relative_to(ROOT)))
def test_a_hook_is_strict_bash_that_the_platform_can_start(hook: Path) -> None:
    lines = hook.read_bytes().split(b"\n")
    assert lines[0] == b"#!/usr/bin/env bash"
    assert b"set -euo pipefail" in lines
    assert b"\r" not in hook.read_bytes()
    assert os.access(hook, os.X_OK)
    done = subprocess.run(["bash", "-n", hook], capture_output=True, text=True, timeout=10)
    assert done.returncode == 0, done.stderr


def test_whatever_is_done_for_a_deployment_is_done_for_a_configuration_change() -> None:
    deployment = {path.parts[-2:] for path in HOOKS if path.parts[-3] == "hooks"}
    configuration = {path.parts[-2:] for path in HOOKS if path.parts[-3] == "confighooks"}
    # Nothing is installed then, so there need be no room for it.
    assert deployment - configuration == {("prebuild", "01_room.sh")}
    assert configuration < deployment
    assert {("predeploy", "10_migrate.sh"), ("postdeploy", "90_ready.sh")} < configuration


def test_the_procfile_runs_the_web_server_and_the_jobs() -> None:
    lines = (ROOT / "Procfile").read_text().splitlines()
    assert all(PROCFILE_LINE.match(line) for line in lines)
    assert dict(line.split(": ", 1) for line in lines) == {
        "web": "gunicorn application:application",
        "jobs": "python -m fastier jobs",
    }


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance(tmp_path)


@pytest.mark.parametrize("tree", ["hooks", "confighooks"])
def test_the_hook_migrates_and_a_second_run_changes_nothing(instance: Instance, database_url: str, tree: str) -> None:
    instance.add_venv()
    with new_database(database_url) as url:
        for _ in range(2):
            done = instance.run(f"{tree}/predeploy/10_migrate.sh", DATABASE_URL=url)
            assert done.returncode == 0, done.stderr
        assert "items" in tables(url)
    assert not list(instance.bundle.rglob("__pycache__"))


def tables(url: str) -> set[str]:
    connection = psycopg2.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        return {name for (name,) in cursor.fetchall()}
    finally:
        connection.close()


def test_a_migration_that_fails_stops_the_deployment_with_one_line(instance: Instance) -> None:
    instance.add_venv()
    done = instance.run(MIGRATE, DATABASE_URL="postgresql://nobody:canary-4711@127.0.0.1:1/none")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("Fastier: the migration failed with status 1")
    assert "canary-4711" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("secret", "first"),
    [
        ("", "making the database's roles"),
        ("arn:aws:secretsmanager:eu-central-1:123456789012:secret:a", "the migration"),
    ],
)
def test_roles_are_made_only_where_one_password_makes_them_all(instance: Instance, secret: str, first: str) -> None:
    instance.add_venv()
    done = instance.run(
        MIGRATE,
        DATABASE_URL="postgresql://nobody:canary-4711@127.0.0.1:1/none",
        FASTIER_DB_ROLES="derived",
        FASTIER_DB_SECRET_ARN=secret,
        AWS_EC2_METADATA_DISABLED="true",
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"Fastier: {first} failed with status 1")


@pytest.mark.parametrize("count", [0, 2])
def test_a_hook_without_exactly_one_python_says_so(instance: Instance, count: int) -> None:
    for number in range(count):
        instance.add_venv(f"venv-{number}")
    done = instance.run(MIGRATE)
    assert done.returncode == 1
    told = f"Fastier: there are {count} Python environments in {instance.venvs} instead of one"
    assert done.stderr == f"{told}; this version is not deployed\n"


def test_the_mail_folder_belongs_to_the_application(instance: Instance, tmp_path: Path) -> None:
    # The platform's account is not on this machine; its place takes whoever runs this.
    owner, group = os.geteuid(), os.getegid()
    for hook in instance.bundle.glob(".platform/*hooks/*/05_*"):
        hook.write_text(hook.read_text().replace("-o webapp -g webapp", f"-o {owner} -g {group}"))
    hook_name = "confighooks/predeploy/05_mail_folder.sh"
    assert instance.run(hook_name, FASTIER_MAIL_PATH=str(tmp_path / "a" / "mail")).returncode == 0
    assert (tmp_path / "a" / "mail").stat().st_mode & 0o777 == 0o700
    assert instance.run(hook_name, FASTIER_MAIL="ses", FASTIER_MAIL_PATH=str(tmp_path / "b")).returncode == 0
    assert not (tmp_path / "b").exists()


def test_where_there_is_room_pip_may_begin(instance: Instance) -> None:
    instance.add_venv()
    done = instance.run(ROOM)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("memory_needed=160", "memory_needed=99999999", "pip needs 99999999; take a larger instance"),
        ("disk_needed=500", "disk_needed=99999999", "pip needs 99999999; raise RootVolumeSize"),
    ],
)
def test_without_room_nothing_is_begun_and_one_line_says_why(instance: Instance, old: str, new: str, told: str) -> None:
    instance.edit(old, new)
    done = instance.run(ROOM)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert told in line
    assert line.endswith("this version is not deployed, and nothing was changed")


def test_a_python_that_is_too_old_is_named(instance: Instance) -> None:
    instance.add_venv(python='[ "$1" = -c ] && exit 1; echo Python 3.9.25')
    done = instance.run(ROOM)
    assert done.returncode == 1
    assert "Python 3.9.25 is too old" in done.stderr


def test_roles_are_made_before_the_migration_where_they_are_derived(instance: Instance) -> None:
    instance.add_venv()
    with server(binaries.find()) as superuser, owned_database(superuser) as owner:
        url = make_url(owner)
        environment = {
            "RDS_HOSTNAME": str(url.host),
            "RDS_PORT": str(url.port),
            "RDS_DB_NAME": str(url.database),
            "RDS_USERNAME": str(url.username),
            "RDS_PASSWORD": str(url.password),
            "PGSSLMODE": "disable",
            "FASTIER_DB_ROLES": "derived",
        }
        for _ in range(2):
            done = instance.run(MIGRATE, **environment)
            assert done.returncode == 0, done.stderr
        inside = make_url(superuser).set(database=url.database).render_as_string(hide_password=False)
        assert run(inside, "SELECT tableowner FROM pg_tables WHERE tablename = 'items'") == [("fastier_migrate",)]
