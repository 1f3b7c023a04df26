"""A secret's user and password: read once, again when they are refused, and never shown."""

import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import psycopg2
import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from fastier.database import Database, credentials
from fastier.database.credentials import Credentials, SecretCredentials, complete_url
from fastier.settings import DatabaseLogin, Settings
from fastier.web.problems import from_database
from tests.database.servers import run
from tests.database.vault import REGION, Vault, login, serving_vault
from tests.postgres import new_database

ROLE = "rotated"
THREADS = 8


def _login(password: str) -> str:
    return login(ROLE, password)


@pytest.fixture(scope="module")
def served() -> Iterator[Vault]:
    with serving_vault() as vault:
        yield vault


@pytest.fixture
def vault(served: Vault, monkeypatch: pytest.MonkeyPatch) -> Vault:
    for name, value in served.environ.items():
        monkeypatch.setenv(name, value)
    served.reads.clear()
    return served


@dataclass
class Rotating:
    """A database with one role, whose password stands in a secret."""

    superuser: str
    vault: Vault
    arn: str
    settings: Settings

    def change_password(self, password: str) -> None:
        run(self.superuser, f"ALTER ROLE {ROLE} PASSWORD '{password}'")


@pytest.fixture
def rotating(database_url: str, vault: Vault) -> Iterator[Rotating]:
    with new_database(database_url) as url:
        run(url, f"CREATE ROLE {ROLE} LOGIN PASSWORD 'canary-first'")
        try:
            run(url, "CREATE TABLE written (number int)")
            run(url, f"GRANT ALL ON written TO {ROLE}")
            where = make_url(url)
            arn = vault.make(_login("canary-first"))
            environ = {
                "RDS_HOSTNAME": str(where.host),
                "RDS_PORT": str(where.port),
                "RDS_DB_NAME": str(where.database),
                "PGSSLMODE": "disable",
                "FASTIER_DB_SECRET_ARN": arn,
            }
            yield Rotating(url, vault, arn, Settings.from_environ(environ))
        finally:
            run(url, f"DROP OWNED BY {ROLE}")
            run(url, f"DROP ROLE {ROLE}")


@pytest.fixture
def pool(rotating: Rotating) -> Iterator[Database]:
    settings = rotating.settings
    with closing(Database(settings.database_url, secret=settings.database_secret, pool_size=THREADS)) as database:
        yield database


class Writers:
    """Threads that write one row after another, and keep every failure."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.is_over = threading.Event()
        self.written = [0] * THREADS
        self.failures: list[Exception] = []
        self.threads = [threading.Thread(target=self._write, args=(number,)) for number in range(THREADS)]

    def _write(self, number: int) -> None:
        while not self.is_over.is_set():
            try:
                with self.database.transaction() as connection:
                    connection.exec_driver_sql(f"INSERT INTO written VALUES ({number})")
                self.written[number] += 1
            except Exception as error:
                self.failures.append(error)

    def reconnect(self) -> None:
        """Have every thread finish what it does, and do at least two more on a new connection."""
        self.database.engine.dispose()
        wanted = [count + 3 for count in self.written]
        deadline = time.monotonic() + 20
        while any(count < least for count, least in zip(self.written, wanted, strict=True)) and not self.failures:
            assert time.monotonic() < deadline, self.written
            time.sleep(0.01)

    def __enter__(self) -> "Writers":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.is_over.set()
        for thread in self.threads:
            thread.join(20)


def test_a_rotation_breaks_no_write_and_the_secret_is_read_again_once(rotating: Rotating, pool: Database) -> None:
    with Writers(pool) as writers:
        writers.reconnect()
        assert rotating.vault.reads == ["AWSCURRENT"]
        for password in ("canary-second", "canary-third"):
            rotating.vault.reads.clear()
            rotating.vault.put(rotating.arn, _login(password))
            rotating.change_password(password)
            writers.reconnect()
            assert rotating.vault.reads == ["AWSCURRENT"]
    assert writers.failures == []
    assert run(rotating.superuser, "SELECT count(*) FROM written") == [(sum(writers.written),)]


def test_a_rotation_that_is_half_done_breaks_no_write(rotating: Rotating, pool: Database) -> None:
    with Writers(pool) as writers:
        writers.reconnect()
        # The server is changed first; the secret's label follows some seconds later.
        rotating.vault.put(rotating.arn, _login("canary-second"), "AWSPENDING")
        rotating.change_password("canary-second")
        writers.reconnect()
    assert writers.failures == []
    assert rotating.vault.reads == ["AWSCURRENT", "AWSCURRENT", "AWSPENDING"]


def test_a_secret_that_is_of_no_help_is_not_read_by_every_connection_that_fails(
    rotating: Rotating, pool: Database
) -> None:
    rotating.change_password("canary-unknown")
    for _ in range(5):
        with pytest.raises(OperationalError) as refused, pool.reading():
            pass
        assert "canary" not in str(refused.value)
        problem = from_database(refused.value)
        assert problem is not None
        assert problem.status == 503
        assert int(problem.headers["Retry-After"]) > 0
    # The first time, the current one again and the pending one.
    assert rotating.vault.reads == ["AWSCURRENT", "AWSCURRENT", "AWSPENDING"]
    rotating.vault.put(rotating.arn, _login("canary-unknown"))
    deadline = time.monotonic() + credentials.PATIENCE_SECONDS + 10
    while not _connects(pool):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _connects(database: Database) -> bool:
    try:
        with database.reading():
            return True
    except OperationalError:
        return False


def test_a_server_that_is_away_is_no_reason_to_read_the_secret_again(rotating: Rotating) -> None:
    nowhere = make_url(rotating.settings.database_url).set(port=1).render_as_string()
    with closing(Database(nowhere, secret=rotating.arn, pool_size=1)) as database:
        for _ in range(3):
            assert not _connects(database)
    assert rotating.vault.reads == ["AWSCURRENT"]


@pytest.mark.parametrize("text", ["canary", '{"username": "canary"}', '{"username": "canary", "password": 7}', "[]"])
def test_a_secret_of_another_form_is_named_and_not_shown(vault: Vault, text: str) -> None:
    with pytest.raises(psycopg2.OperationalError, match="it is no JSON object with username and password") as refused:
        SecretCredentials(vault.make(text)).current()
    assert "canary" not in str(refused.value)


def test_a_secret_that_cannot_be_read_is_asked_for_once_in_a_while(vault: Vault) -> None:
    secret = SecretCredentials(f"arn:aws:secretsmanager:{REGION}:123456789012:secret:none")
    for _ in range(5):
        with pytest.raises(psycopg2.OperationalError, match="ResourceNotFoundException"):
            secret.current()
    assert vault.reads == ["AWSCURRENT"]


def test_what_was_prepared_before_a_fork_reads_again_and_again(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = SecretCredentials(vault.make(_login("canary-first")))
    secret.prepare()
    assert vault.reads == []
    monkeypatch.setattr(credentials, "boto3", None)
    reading = [multiprocessing.get_context("fork").Process(target=_read_twice, args=(secret,)) for _ in range(3)]
    for process in reading:
        process.start()
    for process in reading:
        process.join(60)
    assert [process.exitcode for process in reading] == [0, 0, 0]
    assert Counter(vault.reads) == {"AWSCURRENT": 6, "AWSPENDING": 3}


def _read_twice(secret: SecretCredentials) -> None:
    first = secret.current()
    assert first.password == "canary-first"
    assert secret.after_refusal(first) == first


def test_credentials_of_the_instance_that_come_late_are_found(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    arn = vault.make(_login("canary-first"))
    secret = SecretCredentials(arn)
    with monkeypatch.context() as without:
        without.delenv("AWS_ACCESS_KEY_ID")
        without.delenv("AWS_SECRET_ACCESS_KEY")
        without.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        without.setenv("AWS_CONFIG_FILE", "/nonexistent")
        without.setenv("AWS_EC2_METADATA_DISABLED", "true")
        secret.prepare()
    assert secret.current().password == "canary-first"


def test_a_migration_gets_its_user_and_password_in_the_url(rotating: Rotating) -> None:
    login = rotating.settings.login("migrate")
    assert login == DatabaseLogin(rotating.settings.database_url, rotating.arn)
    assert run(complete_url(login), "SELECT current_user") == [(ROLE,)]


def test_nothing_secret_is_in_a_repr() -> None:
    assert "canary" not in repr(Credentials("user", "canary"))
    assert "canary" not in repr(DatabaseLogin("postgresql://user:canary@host/name"))


@pytest.mark.parametrize(
    ("message", "is_refusal"),
    [
        ('connection to server at "db" failed: FATAL:  password authentication failed for user "u1"', True),
        (
            'connection to server at "db", port 5432 failed: FATAL:  Passwort-Authentifizierung für „u1“ schlug fehl',
            True,
        ),
        ('connection to server at "u1.example", port 5432 failed: Connection refused', False),
        ('connection to server at "db", port 5432 failed: FATAL:  the database system is starting up', False),
        ('could not translate host name "u1.example" to address: Name or service not known', False),
    ],
)
def test_a_refusal_is_told_from_other_failures_in_any_language(message: str, is_refusal: bool) -> None:
    assert credentials.is_refusal(psycopg2.OperationalError(message), "u1") is is_refusal
