"""The order of items is bytewise on a server that sorts as people do."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from werkzeug.test import Client

from ebtools.local.postgres import Cluster
from fastier import app as composition
from fastier.database import migrate
from fastier.settings import Settings
from fastier.web.sizing import Sizing
from tests.api import Api, Document


@pytest.fixture(scope="module")
def elsewhere(linguistic_cluster: Cluster, settings: Settings) -> Iterator[Api]:
    """Somebody on the application over that server."""
    url = linguistic_cluster.url()
    migrate.upgrade(url)
    given = {name: getattr(settings, name) for name in Settings.__dataclass_fields__} | {"database_url": url}
    services = composition.build_services(Settings(**given), pool_size=4)
    sizes = Sizing(workers=1, permits=4, waiting=8, transfers=1)
    client = Client(composition.build_application(services, sizes), use_cookies=False)
    with services.database.reading() as connection:
        collation = connection.execute(
            text("SELECT datcollate FROM pg_database WHERE datname = current_database()")
        ).scalar_one()
        assert collation == "en_US.UTF-8"
    new = {"email": "a@example.com", "password": "correct horse", "name": "A"}
    api = Api(client, Document(client.get("/api/v1/openapi.json").json))
    yield Api(client, api.document, api.post("/auth/register", new).json["token"])
    services.database.close()


def test_moves_and_pages_keep_the_order_of_bytes(elsewhere: Api) -> None:
    inbox = elsewhere.get("/me").json["inbox"]["id"]
    ids = [elsewhere.post(f"/lists/{inbox}/items", {"title": str(n)}).json["id"] for n in range(6)]
    expected = list(ids)
    for turn in range(60):
        item, neighbour = ids[turn % 6], ids[(turn * 7 + 3) % 6]
        if item == neighbour:
            continue
        side = "before" if turn % 2 else "after"
        assert elsewhere.post(f"/items/{item}/move", {side: neighbour}).status_code == 200
        expected.remove(item)
        expected.insert(expected.index(neighbour) + (side == "after"), item)
    pages: list[str] = []
    cursor = ""
    for _ in range(6):
        page = elsewhere.get(f"/lists/{inbox}/items?limit=2{cursor}").json
        pages += [item["id"] for item in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert pages == expected


def test_tags_are_in_the_same_order_on_every_server(elsewhere: Api) -> None:
    workspace = elsewhere.get("/me").json["workspaces"][0]["id"]
    for name in ("b", "A", "Ä", "_", "a-b", "ab"):
        assert elsewhere.post(f"/workspaces/{workspace}/tags", {"name": name}).status_code == 201
    first = elsewhere.get(f"/workspaces/{workspace}/tags?limit=3").json
    rest = elsewhere.get(f"/workspaces/{workspace}/tags?limit=3&cursor={first['next_cursor']}").json
    assert [tag["name"] for tag in first["data"] + rest["data"]] == ["_", "A", "a-b", "ab", "b", "Ä"]
