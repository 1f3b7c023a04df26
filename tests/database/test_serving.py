"""The application as the role that serves: everything that a person and the job runner do needs no other right."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy.engine import make_url
from werkzeug.test import Client

from ebtools.local import binaries
from fastier import app as composition
from fastier.attachments import sweeping
from fastier.database import migrate, roles
from fastier.database.credentials import complete_url
from fastier.services import Services
from fastier.settings import Settings
from fastier.trash import purging
from fastier.web.sizing import Sizing
from tests.api import Document, Person
from tests.database.servers import owned_database, run, server


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("instance")
    with server(binaries.find()) as superuser, owned_database(superuser) as owner:
        settings = Settings.from_environ(
            {
                "DATABASE_URL": owner,
                "FASTIER_DB_ROLES": "derived",
                "FASTIER_STORAGE_PATH": str(folder / "storage"),
                "FASTIER_MAIL_PATH": str(folder / "mail"),
                "FASTIER_PUBLIC_URL": "http://localhost",
            }
        )
        roles.establish(settings)
        migrate.upgrade(complete_url(settings.login("migrate")))
        built = composition.build_services(settings, pool_size=4)
        with closing(built.database):
            yield built


@pytest.fixture(scope="module")
def client(services: Services) -> Client:
    sizes = Sizing(workers=1, permits=4, waiting=64, transfers=4)
    return Client(composition.build_application(services, sizes), use_cookies=False)


@pytest.fixture(scope="module")
def alice(client: Client) -> Person:
    body = {"email": "alice@example.com", "password": "long enough", "name": "Alice"}
    answer = client.post("/api/v1/auth/register", json=body, buffered=True)
    assert answer.status_code == 201, answer.text
    document = Document(client.get("/api/v1/openapi.json", buffered=True).json)
    new = answer.json
    places = (new["workspace"]["id"], new["inbox"]["id"])
    return Person(client, document, new["token"], {}, new["user"]["id"], body["email"], *places)


def test_all_processes_log_in_as_who_serves(services: Services, alice: Person) -> None:
    assert alice.get("/me").status_code == 200
    assert make_url(services.settings.database_url).username == "fastier_serve"
    with services.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT current_user").scalar_one() == "fastier_serve"


def test_whatever_a_person_does_needs_no_other_right(alice: Person) -> None:
    login = {"email": alice.email, "password": "long enough"}
    assert alice.post("/auth/login", login).status_code == 200
    shopping = alice.new_list()
    item = alice.item("milk", shopping, tags=["dairy"])
    path = f"/items/{item['id']}"
    assert alice.patch(path, {"title": "oat milk"}).status_code == 200
    assert alice.post(f"{path}/move", {"list_id": alice.inbox}).status_code == 200
    assert alice.post(f"{path}/complete").status_code == 200
    assert alice.post(f"{path}/reopen").status_code == 200
    assert alice.get(f"/workspaces/{alice.workspace}/tags").json["data"][0]["name"] == "dairy"
    attachment = alice.upload(item["id"], b"a receipt")
    assert alice.get(f"/attachments/{attachment['id']}/content").status_code == 302
    keyed = {"Idempotency-Key": "once"}
    once, again = (alice.post(f"/lists/{shopping}/items", {"title": "eggs"}, headers=keyed) for _ in range(2))
    assert once.json["id"] == again.json["id"]
    assert alice.delete(path).status_code == 204
    assert alice.post(f"{path}/restore").status_code == 200
    assert alice.delete(f"/lists/{shopping}").status_code == 204


def test_what_the_job_runner_sweeps_and_purges_needs_no_other_right(services: Services, alice: Person) -> None:
    assert alice.get("/me").status_code == 200
    for handler in (*sweeping.HANDLERS.values(), *purging.HANDLERS.values()):
        handler(services, {"after": ""})
    for purge in composition._PURGES.values():
        composition._purge(purge, services, {})
    for check in composition.checks(services).values():
        check()
    assert run(complete_url(services.settings.login("backup")), "SELECT count(*) FROM users") == [(1,)]
