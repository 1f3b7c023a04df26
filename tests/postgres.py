"""Fixtures of PostgreSQL: a real server for the whole run, and one whose locale sorts as people do."""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, make_url, text

from ebtools.local import binaries
from ebtools.local.account import server_account
from ebtools.local.binaries import Programs
from ebtools.local.errors import LocalError
from ebtools.local.postgres import Cluster, new_password
from fastier.database import migrate

LINGUISTIC = "en_US.UTF-8"
# The tests lose nothing by a crash of the machine, and without waiting for the disk they take half the time.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_number = itertools.count(1)

MakeCluster = Callable[..., Cluster]


@contextmanager
def server_folder() -> Iterator[Path]:
    """A new folder that the account of a server can reach; it is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="fastier-", dir=_reachable_parent()))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _reachable_parent() -> Path:
    usual = Path(tempfile.gettempdir())
    account = server_account(usual / "none")
    return usual if account is None or account.can_pass(usual) else Path("/tmp")


@contextmanager
def running_cluster(
    programs: Programs, *, locale: str = "C.UTF-8", environ: dict[str, str] | None = None
) -> Iterator[Cluster]:
    """A new cluster that runs until the end, however the tests end."""
    with server_folder() as folder:
        account = server_account(folder / "data")
        cluster = Cluster(
            binaries.reachable(programs, account, folder),
            folder / "data",
            password=new_password(),
            account=account,
            locale=locale,
            settings=_FAST,
            environ=environ,
        )
        try:
            cluster.create()
            cluster.start()
            yield cluster
        finally:
            cluster.stop("immediate")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A server of this run's own, which a test may stop and start again."""
    with running_cluster(binaries.find()) as running:
        yield running


@pytest.fixture(scope="session")
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A new, migrated database: on the server that DATABASE_URL names, or else on one of this run's own."""
    given = os.environ.get("DATABASE_URL")
    with new_database(given or request.getfixturevalue("cluster").url()) as url:
        migrate.upgrade(url)
        yield url


@contextmanager
def new_database(server_url: str) -> Iterator[str]:
    """An empty database on that server; dropped at the end."""
    url = make_url(server_url).set(drivername="postgresql+psycopg2")
    name = f"fastier_test_{os.getpid()}_{next(_number)}"
    _execute(url, f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        _execute(url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _execute(url: URL, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 10})
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()


@pytest.fixture(scope="session")
def linguistic_cluster() -> Iterator[Cluster]:
    """A server whose default order is that of a language, as many databases of the world are set up."""
    with server_folder() as folder:
        environ = {} if _has_locale() else {"LOCPATH": str(_compiled_locale(folder))}
        with _first_that_knows(environ) as running:
            assert _sorts_as_people_do(running), f"its default collation is not {LINGUISTIC}"
            yield running


@pytest.fixture(scope="session")
def linguistic_database_url(linguistic_cluster: Cluster) -> str:
    """A migrated database in which a capital letter does not come before every small one."""
    migrate.upgrade(linguistic_cluster.url())
    return linguistic_cluster.url()


def _has_locale() -> bool:
    known = subprocess.run(["locale", "-a"], capture_output=True, text=True, timeout=30, check=False).stdout
    return LINGUISTIC.replace("-", "").lower() in known.lower().replace("-", "")


def _compiled_locale(folder: Path) -> Path:
    """A folder for LOCPATH: the locale is compiled from the system's sources, without changing the system."""
    command = ["localedef", "-i", "en_US", "-f", "UTF-8", str(folder / LINGUISTIC)]
    try:
        subprocess.run(command, capture_output=True, timeout=60, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.fail(f"The locale {LINGUISTIC} is missing, and so are its sources: apt-get install locales")
    return folder


@contextmanager
def _first_that_knows(environ: dict[str, str]) -> Iterator[Cluster]:
    """The wheel's server, or the machine's own where the wheel's does not take the locale."""
    faults = []
    for programs in binaries.candidates():
        attempt = running_cluster(programs, locale=LINGUISTIC, environ=environ)
        try:
            running = attempt.__enter__()
        except LocalError as error:
            faults.append(str(error))
            continue
        try:
            yield running
        finally:
            attempt.__exit__(*sys.exc_info())
        return
    pytest.fail(f"No PostgreSQL here takes the locale {LINGUISTIC}: apt-get install locales postgresql\n{faults}")


def _sorts_as_people_do(running: Cluster) -> bool:
    engine = create_engine(running.url())
    with engine.connect() as connection:
        answer = connection.execute(text("SELECT 'a' < 'B'")).scalar_one()
    engine.dispose()
    return bool(answer)


__all__ = ["cluster", "database_url", "linguistic_cluster", "linguistic_database_url"]
