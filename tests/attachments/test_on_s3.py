"""Attachments on S3: the same API, with every byte going between the client and the store."""

import base64
import hashlib
import http.client
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from werkzeug.test import Client

from fastier import app as composition
from fastier.attachments import service
from fastier.settings import Settings
from fastier.web.sizing import Sizing
from tests.api import Document, Person, problem
from tests.s3_endpoint.fixture import S3Endpoint

MIB = 1024 * 1024


@pytest.fixture
def amy(
    settings: Settings, s3_endpoint: S3Endpoint, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Person]:
    """Alice, by an instance whose storage is a bucket."""
    for name, value in s3_endpoint.environ.items():
        monkeypatch.setenv(name, value)
    on_s3 = replace(settings, storage="s3", s3_bucket=s3_endpoint.make_bucket())
    services = composition.build_services(on_s3, pool_size=4)
    sizes = Sizing(workers=1, permits=4, waiting=8, transfers=0)
    client = Client(composition.build_application(services, sizes), use_cookies=False)
    document = Document(client.get("/api/v1/openapi.json").json)
    yield replace(alice, client=client, document=document)
    services.database.close()


def _send(method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None) -> tuple[int, bytes, Any]:
    """What any HTTP client does with a signed address."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body or None, headers or {})
        response = connection.getresponse()
        return response.status, response.read(), response.headers
    finally:
        connection.close()


def test_a_file_goes_to_the_bucket_and_comes_from_it(amy: Person) -> None:
    item, content = amy.item()["id"], b"never through Python"
    checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
    announced = amy.announce(item, content, checksum=checksum)
    upload = announced["upload"]
    assert _send(upload["method"], upload["url"], content, upload["headers"])[0] == 200
    done = amy.post(f"/attachments/{announced['attachment']['id']}/complete").json
    assert (done["status"], done["checksum"]) == ("ready", checksum)
    found = amy.get(f"/attachments/{done['id']}/content")
    status, body, headers = _send("GET", found.headers["Location"])
    assert (status, body, headers["Content-Type"]) == (200, content, "text/plain")
    assert headers["Content-Disposition"].startswith('attachment; filename="notes.txt"')
    problem(amy.get("/storage/attachments/x/y"), 404)


def test_the_bucket_itself_refuses_other_bytes_than_announced(amy: Person) -> None:
    item, content = amy.item()["id"], b"announced"
    checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
    announced = amy.announce(item, content, checksum=checksum)
    upload = announced["upload"]
    assert _send("PUT", upload["url"], b"different", upload["headers"])[0] == 400
    longer = {**upload["headers"], "Content-Length": "13"}
    assert _send("PUT", upload["url"], b"longer than it", longer)[0] in (400, 403)
    problem(amy.post(f"/attachments/{announced['attachment']['id']}/complete"), 409, "not_uploaded")


def test_a_large_file_goes_up_in_parts_and_is_resumed(amy: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    # S3 takes parts of at least 5 MiB.
    monkeypatch.setattr(service, "LARGEST_PIECE", 5 * MIB)
    item, content = amy.item()["id"], bytes(range(256)) * (4 * 1024 * 10) + b"the rest"
    announced = amy.announce(item, content)
    id, parts = announced["attachment"]["id"], announced["upload"]["parts"]

    def send(part: dict[str, Any]) -> int:
        start = (part["number"] - 1) * 5 * MIB
        return _send("PUT", part["url"], content[start : start + part["size"]])[0]

    assert [part["size"] for part in parts] == [5 * MIB, 5 * MIB, 8]
    assert [send(parts[0]), send(parts[2])] == [200, 200]
    problem(amy.post(f"/attachments/{id}/complete"), 409, "parts_missing")
    missing = amy.get(f"/attachments/{id}").json["upload"]["parts"]
    assert [part["number"] for part in missing] == [2]
    assert send(missing[0]) == 200
    done = amy.post(f"/attachments/{id}/complete").json
    assert (done["status"], done["size"]) == ("ready", len(content))
    location = amy.get(f"/attachments/{id}/content").headers["Location"]
    assert _send("GET", location)[1] == content


def test_a_store_that_fails_harms_files_alone(amy: Person, s3_endpoint: S3Endpoint) -> None:
    item = amy.item()["id"]
    announced = amy.announce(item, b"x")
    upload = announced["upload"]
    _send("PUT", upload["url"], b"x", upload["headers"])
    with s3_endpoint.failing():
        refused = amy.post(f"/attachments/{announced['attachment']['id']}/complete")
        problem(refused, 503, "storage_unavailable")
        assert int(refused.headers["Retry-After"]) >= 1
        assert amy.item("still works")["title"] == "still works"
        assert amy.announce(item, b"y")["upload"]["method"] == "PUT"
    assert amy.post(f"/attachments/{announced['attachment']['id']}/complete").status_code == 200
