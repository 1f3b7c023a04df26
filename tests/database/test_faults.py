"""The database restarts, is away, or says nothing: requests are told so in time, and go on when it is back."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from uuid_utils.compat import uuid7
from werkzeug.test import Client

from ebtools.local import binaries
from ebtools.local.postgres import Cluster
from fastier import app as composition
from fastier.database import Database, deadline, is_transient, migrate
from fastier.database.deadline import SilentServer
from fastier.settings import Settings
from fastier.web.sizing import Sizing
from tests.database.line import Line, line_to
from tests.database.servers import durable_cluster, run

ROOT = Path(__file__).parents[2]
# The promises, in seconds.
LONGEST_ANSWER = 6.0
LONGEST_RECOVERY = 1.0
PERMITS = 4


@dataclass
class Clients:
    """Some that write and some that read, again and again, while the database comes and goes."""

    client: Client
    token: str
    inbox: str
    acknowledged: list[str] = field(default_factory=list)
    answers: list[tuple[float, float, int, str | None]] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def ask(self, method: str, path: str, body: dict[str, str] | None = None) -> int:
        began = time.monotonic()
        headers = {"Authorization": f"Bearer {self.token}"}
        response = self.client.open(f"/api/v1{path}", method=method, json=body, headers=headers, buffered=True)
        self.answers.append(
            (began, time.monotonic() - began, response.status_code, response.headers.get("Retry-After"))
        )
        return response.status_code

    def _write(self, writer: int) -> None:
        number = 0
        while not self.is_over.is_set():
            number += 1
            title = f"{writer}-{number}"
            if self.ask("POST", f"/lists/{self.inbox}/items", {"title": title}) == 201:
                self.acknowledged.append(title)
            else:
                # As a client that waits a moment before it asks again.
                self.is_over.wait(0.05)

    def _read(self) -> None:
        while not self.is_over.is_set():
            if self.ask("GET", f"/lists/{self.inbox}/items?limit=1") != 200:
                self.is_over.wait(0.05)

    def __enter__(self) -> "Clients":
        self.threads = [threading.Thread(target=self._write, args=(number,)) for number in range(PERMITS - 1)]
        self.threads.append(threading.Thread(target=self._read))
        for thread in self.threads:
            thread.start()
        self.until_answered()
        return self

    def __exit__(self, *_error: object) -> None:
        self.is_over.set()
        for thread in self.threads:
            thread.join(20)

    def until_answered(self, since: float = 0.0, statuses: tuple[int, ...] = (200, 201)) -> float:
        """When the first request that began after `since` was answered so, in seconds after it."""
        limit = time.monotonic() + 12
        while time.monotonic() < limit:
            for began, took, status, _ in list(self.answers):
                if began >= since and status in statuses:
                    return began + took - since
            time.sleep(0.005)
        raise AssertionError(f"no {statuses} in 12 s: {self.answers[-5:]}")

    def check(self) -> None:
        """What holds throughout: a success, or 503 with a time to come again; none of them late."""
        assert {status for _, _, status, _ in self.answers} <= {200, 201, 503}
        assert all(retry_after for _, _, status, retry_after in self.answers if status == 503)
        assert max(took for _, took, _, _ in self.answers) <= LONGEST_ANSWER


@dataclass
class World:
    """The application on a database that is reached by a line which can be cut."""

    url: str
    line: Line
    database: Database
    clients: Clients

    def lost(self) -> set[str]:
        stored = {str(title) for (title,) in run(self.url, "SELECT title FROM items")}
        return set(self.clients.acknowledged) - stored


@pytest.fixture(scope="module")
def durable() -> Iterator[Cluster]:
    """The tests' usual server acknowledges before it writes, and its crash would lose what it must not lose here."""
    with durable_cluster(binaries.find()) as cluster:
        migrate.upgrade(cluster.url())
        yield cluster


@pytest.fixture
def world(durable: Cluster, settings: Settings) -> Iterator[World]:
    with line_to("127.0.0.1", durable.port) as line:
        through = make_url(durable.url()).set(port=line.port).render_as_string(hide_password=False)
        own = replace(settings, database_url=through)
        services = composition.build_services(own, pool_size=PERMITS, application_name="fastier-faults")
        sizes = Sizing(workers=1, permits=PERMITS, waiting=64, transfers=1)
        client = Client(composition.build_application(services, sizes), use_cookies=False)
        with closing(services.database) as database:
            yield World(durable.url(), line, database, _sign_up(client))


def _sign_up(client: Client) -> Clients:
    body = {"email": f"{uuid7()}@example.com", "password": "long enough", "name": "Faults"}
    answer = client.post("/api/v1/auth/register", json=body, buffered=True)
    assert answer.status_code == 201, answer.text
    return Clients(client, answer.json["token"], answer.json["inbox"]["id"])


def test_a_server_that_crashes_and_restarts_costs_a_moment(world: World, durable: Cluster) -> None:
    with world.clients as clients:
        for _ in range(2):
            durable.stop("immediate")
            clients.until_answered(time.monotonic(), (503,))
            durable.start()
            assert clients.until_answered(time.monotonic()) < LONGEST_RECOVERY
    clients.check()
    assert world.lost() == set()


def test_a_failover_is_survived_without_a_restart(world: World) -> None:
    with world.clients as clients:
        world.line.refuse()
        clients.until_answered(down := time.monotonic(), (503,))
        # Some seconds stand for a minute or two: every request in between goes the same way.
        while time.monotonic() < down + 3:
            time.sleep(0.05)
        world.line.restore()
        assert clients.until_answered(time.monotonic()) < LONGEST_RECOVERY
    clients.check()
    assert world.lost() == set()


def test_a_silent_database_keeps_nobody_waiting(world: World) -> None:
    with world.clients as clients:
        world.line.fall_silent()
        silent = time.monotonic()
        clients.until_answered(silent, (503,))
        # By now the pool's connections have been given up, and new ones are tried in vain.
        while time.monotonic() < silent + 8:
            time.sleep(0.05)
        world.line.restore()
        assert clients.until_answered(time.monotonic()) < LONGEST_RECOVERY
    clients.check()
    assert world.lost() == set()


# What waits for an answer, and what cannot even be sent.
@pytest.mark.parametrize("size", [1, 30_000_000])
def test_a_connection_that_was_idle_while_the_line_fell_silent_is_given_up_in_time(world: World, size: int) -> None:
    statement, parameters = text("SELECT length(:sent)"), {"sent": "x" * size}
    with world.database.reading() as connection:
        connection.execute(statement, parameters)
    world.line.fall_silent()
    began = time.monotonic()
    with pytest.raises(OperationalError) as broken, world.database.reading() as connection:
        connection.execute(statement, parameters)
    assert time.monotonic() - began < LONGEST_ANSWER
    assert isinstance(broken.value.orig, SilentServer)
    assert not is_transient(broken.value)
    world.line.restore()
    with world.database.reading() as connection:
        assert connection.execute(statement, parameters).scalar_one() == size


def test_a_connection_that_breaks_within_a_transaction_is_tried_once_more(world: World) -> None:
    own = "SELECT pg_backend_pid()"
    seen: list[int] = []

    def break_off() -> None:
        with world.database.transaction() as connection:
            seen.append(connection.exec_driver_sql(own).scalar_one())
            run(world.url, "SELECT pg_terminate_backend(%s)", seen[0])
            connection.exec_driver_sql(own)

    with pytest.raises(OperationalError) as broken:
        break_off()
    assert is_transient(broken.value)
    with world.database.transaction() as connection:
        assert connection.exec_driver_sql(own).scalar_one() != seen[0]


def test_a_statement_that_works_for_long_is_ended_by_the_server_and_its_connection_kept(world: World) -> None:
    own = "SELECT pg_backend_pid()"
    with world.database.reading() as connection:
        backend = connection.exec_driver_sql(own).scalar_one()
        with pytest.raises(OperationalError, match="statement timeout"):
            connection.execute(text("SELECT pg_sleep(20)"))
    with world.database.reading() as connection:
        assert connection.exec_driver_sql(own).scalar_one() == backend


def test_an_address_that_does_not_answer_has_two_seconds() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(8)
        port = mute.getsockname()[1]
        url = f"postgresql+psycopg2://u:p@/x?host=127.0.0.1:{port}&host=127.0.0.1:{port}"
        with closing(Database(url)) as database:
            began = time.monotonic()
            with pytest.raises(OperationalError, match="timeout expired"), database.reading():
                pass
            # Each of a host's addresses has its own.
            assert 3.5 < time.monotonic() - began < LONGEST_ANSWER


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the kernel does not know it")
def test_a_peer_that_is_gone_is_found_by_the_kernel(world: World) -> None:
    with world.database.reading() as connection:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        shared = socket.socket(fileno=os.dup(driver.fileno()))
    with shared:
        assert shared.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        user_timeout = shared.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) / 1000
        idle = shared.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
        interval = shared.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL)
    # It counts from the last answer, and is looked at with every probe.
    assert user_timeout + interval <= 5
    assert idle < user_timeout < deadline.ANSWER_SECONDS


# Forks as gunicorn does, but from a parent that has used the database; exits 0 when the child is told in time.
_FORKED = """
import os, sys
from sqlalchemy.exc import OperationalError
from fastier.database import Database
from fastier.database.deadline import SilentServer

def ask(database):
    with database.reading() as connection:
        connection.exec_driver_sql("SELECT 1")

database = Database(sys.argv[1], pool_size=1)
ask(database)
child = os.fork()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
database.after_fork()
ask(database)
print("ready", flush=True)
sys.stdin.readline()
try:
    ask(database)
except OperationalError as error:
    os._exit(0 if isinstance(error.orig, SilentServer) else 2)
os._exit(1)
"""


def test_a_forked_worker_has_a_deadline_of_its_own(world: World) -> None:
    url = world.database.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-W", "ignore", "-c", _FORKED, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            world.line.fall_silent()
            process.stdin.write("go\n")
            process.stdin.flush()
            assert process.wait(10) == 0
        finally:
            process.kill()


def test_whoever_is_gone_in_the_middle_of_a_write_soon_locks_nothing(database_url: str) -> None:
    with closing(Database(database_url, pool_size=2)) as database, pytest.raises(OperationalError):
        _stop_in_a_write(database)


def _stop_in_a_write(database: Database) -> None:
    """Hold a lock, say nothing more, and wait until somebody else gets it."""
    with database.transaction() as gone, database.reading() as waiting:
        gone.execute(text("SELECT pg_advisory_xact_lock(4711)"))
        deadline = time.monotonic() + 8
        while not waiting.execute(text("SELECT pg_try_advisory_lock(4711)")).scalar_one():
            assert time.monotonic() < deadline
            time.sleep(0.1)
