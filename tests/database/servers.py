"""PostgreSQL servers whose roles a test may change, as Amazon's: the owner of a database is no superuser."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
import pytest
from sqlalchemy.engine import make_url

from ebtools.local import binaries
from ebtools.local.account import server_account
from ebtools.local.binaries import Programs
from ebtools.local.postgres import Cluster, new_password
from tests.postgres import new_database, server_folder

OWNER = "ebroot"
OWNER_PASSWORD = "chosen-by-a-person"


def versions() -> list[object]:
    """Every major version of PostgreSQL that this machine has."""
    found = {programs.version: programs for programs in binaries.candidates()}
    return [pytest.param(programs, id=f"PostgreSQL {version}") for version, programs in sorted(found.items())]


@contextmanager
def owned_database(server_url: str) -> Iterator[str]:
    """An empty database, as its owner sees it, who may make roles and databases and nothing more."""
    with new_database(server_url) as url:
        run(server_url, f"DROP ROLE IF EXISTS {OWNER}")
        run(server_url, f"CREATE ROLE {OWNER} LOGIN CREATEROLE CREATEDB PASSWORD '{OWNER_PASSWORD}'")
        run(server_url, f"ALTER DATABASE {make_url(url).database} OWNER TO {OWNER}")
        yield make_url(url).set(username=OWNER, password=OWNER_PASSWORD).render_as_string(hide_password=False)


@contextmanager
def server(programs: Programs, **settings: str) -> Iterator[str]:
    """The URL of a superuser on a new server."""
    with durable_cluster(programs, **settings) as cluster:
        yield cluster.url()


@contextmanager
def durable_cluster(programs: Programs, **settings: str) -> Iterator[Cluster]:
    """A new server of that version, with these settings of postgresql.conf; what it commits survives its crash."""
    with server_folder() as folder:
        account = server_account(folder / "data")
        found = binaries.reachable(programs, account, folder)
        settings = {"fsync": "off", **settings}
        cluster = Cluster(found, folder / "data", password=new_password(), account=account, settings=settings)
        try:
            cluster.create()
            cluster.start()
            yield cluster
        finally:
            cluster.stop("immediate")


def connect(url: str) -> "closing[psycopg2.extensions.connection]":
    connection = psycopg2.connect(plain(url), connect_timeout=10)
    connection.autocommit = True
    return closing(connection)


def run(url: str, statement: str, *arguments: object) -> list[tuple[object, ...]]:
    """Execute one statement in a connection of its own; its rows, if there are any."""
    with connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement, arguments or None)
        return cursor.fetchall() if cursor.description else []


def plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
