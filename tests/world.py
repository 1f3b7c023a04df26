"""Fixtures of the application: services on the real PostgreSQL, the whole WSGI stack, and people who use it."""

import itertools
import os
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import create_engine, text
from uuid_utils.compat import uuid7
from werkzeug.test import Client

from fastier import app as composition
from fastier.accounts.queries import insert_user
from fastier.accounts.service import _start_session
from fastier.database import Database, Statistics, measure
from fastier.lists.service import create_inbox
from fastier.services import Services
from fastier.settings import Settings
from fastier.web.sizing import Sizing
from fastier.workspaces import queries as workspaces
from fastier.workspaces.access import Access
from tests.api import Api, Document, Person

_number = itertools.count(1)
# As many people as the tests' threads ask at once.
POOL_SIZE = 24

Fill = Callable[[str, int], None]
Settle = Callable[[str], Person]


@pytest.fixture(scope="session")
def settings(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("instance")
    return Settings(
        environment="development",
        database_url=database_url,
        secret_key="of the tests " * 4,
        storage_path=folder / "storage",
        mail_path=folder / "mail",
        public_url="http://localhost",
        rate_limit=1_000_000,
        trusted_hops=1,
    )


@pytest.fixture(scope="session")
def services(settings: Settings) -> Iterator[Services]:
    # A name of its own: tests that break the connections of a real server must not break these.
    built = composition.build_services(settings, pool_size=POOL_SIZE, application_name="fastier-tests")
    yield built
    built.database.close()


@pytest.fixture(scope="session")
def database(services: Services) -> Database:
    return services.database


@pytest.fixture(scope="session")
def client(services: Services) -> Client:
    """The whole WSGI stack, as gunicorn would call it; cookies are sent only by hand."""
    sizes = Sizing(workers=1, permits=POOL_SIZE, waiting=64, transfers=8)
    return Client(composition.build_application(services, sizes), use_cookies=False)


@pytest.fixture(scope="session")
def document(client: Client) -> Document:
    return Document(client.get("/api/v1/openapi.json").json)


@pytest.fixture
def anybody(client: Client, document: Document) -> Api:
    """A client without a token, from an address of its own, so that no test uses up another's attempts."""
    number = next(_number)
    forwarded = {"X-Forwarded-For": f"10.{number // 65536 % 256}.{number // 256 % 256}.{number % 256}"}
    return Api(client, document, headers=forwarded)


@pytest.fixture(scope="session")
def address() -> Callable[[], str]:
    return lambda: f"dora-{next(_number)}-{os.getpid()}@example.com"


@pytest.fixture(scope="session")
def settle(database: Database, client: Client, document: Document) -> Settle:
    """Make a person with a personal workspace, without the cost of a password."""

    def make(name: str) -> Person:
        email = f"{name}-{next(_number)}-{os.getpid()}@example.com"
        fields = {"id": str(uuid7()), "email": email, "name": name, "password_hash": "", "timezone": "UTC"}
        with database.transaction() as connection:
            user = insert_user(connection, fields)
            assert user is not None
            held = Access(uuid7(), 1, "owner")
            workspaces.insert(connection, user["id"], held.workspace_id, "Personal", is_personal=True)
            inbox = create_inbox(connection, held)
            token = _start_session(connection, user["id"], "tests")
        return Person(client, document, token, {}, str(user["id"]), email, str(held.workspace_id), str(inbox["id"]))

    return make


@pytest.fixture
def alice(settle: Settle) -> Person:
    return settle("alice")


@pytest.fixture
def bob(settle: Settle) -> Person:
    return settle("bob")


@pytest.fixture
def statements() -> Iterator[Statistics]:
    """Counts the statements of the requests made in the test, with their texts."""
    with measure(Statistics(texts=[])) as counted:
        yield counted


_FILL = """
WITH held AS (UPDATE workspaces w SET revision = w.revision + :count FROM lists l
        WHERE l.id = :list AND w.id = l.workspace_id RETURNING w.id, w.revision - :count AS revision),
    tag AS (INSERT INTO tags (id, workspace_id, name, folded, revision)
        SELECT gen_random_uuid(), id, 'tag-' || n, 'tag-' || n, revision + 1 FROM held, generate_series(1, 10) n
        ON CONFLICT DO NOTHING RETURNING id, workspace_id, folded),
    item AS (INSERT INTO items (id, workspace_id, list_id, title, position, revision)
        SELECT gen_random_uuid(), id, :list, 'item ' || n, 'n' || lpad(n::text, 10, '0') || 'V', revision + n
        FROM held, generate_series(1, :count) n RETURNING id, workspace_id, revision)
INSERT INTO item_tags (item_id, tag_id, workspace_id)
SELECT i.id, t.id, i.workspace_id FROM item i JOIN tag t ON t.folded = 'tag-' || (i.revision % 10 + 1)
"""


@pytest.fixture(scope="session")
def fill(database_url: str) -> Fill:
    """Put many items into a list at once, each with one of ten tags."""

    def put(list_id: str, count: int) -> None:
        engine = create_engine(database_url)
        with engine.begin() as connection:
            connection.execute(text(_FILL), {"list": list_id, "count": count})
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE items, item_tags, tags"))
        engine.dispose()

    return put


@pytest.fixture(scope="session")
def make_database(database_url: str) -> Iterator[Callable[[], str]]:
    """Make empty databases on the tests' server; they are dropped at the end."""
    made: list[str] = []
    engine = create_engine(database_url, isolation_level="AUTOCOMMIT")

    def make() -> str:
        name = f"empty_{os.getpid()}_{next(_number)}"
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
        made.append(name)
        return engine.url.set(database=name).render_as_string(hide_password=False)

    yield make
    with engine.connect() as connection:
        for name in made:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


__all__ = [
    "Fill",
    "Settle",
    "address",
    "alice",
    "anybody",
    "bob",
    "client",
    "database",
    "document",
    "fill",
    "make_database",
    "services",
    "settings",
    "settle",
    "statements",
]
