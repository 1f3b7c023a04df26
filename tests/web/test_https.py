"""Where there is a certificate, plain HTTP leads to it."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.test import Client

from fastier.settings import Settings
from fastier.web.admission import Admission
from fastier.web.middleware import wrap
from fastier.web.sizing import Sizing

ENCRYPTED = Settings("development", "", "s" * 32, public_url="https://fastier.example", trusted_hops=2)
PLAIN = {"X-Forwarded-Proto": "http"}


def hello(_environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"hello"]


@pytest.fixture
def client() -> Callable[..., Client]:
    def make(**changed: Any) -> Client:
        settings = replace(ENCRYPTED, **changed)
        return Client(wrap(hello, settings=settings, admission=Admission(Sizing(1, 1, 1, 0)), is_ready=lambda: True))

    return make


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PATCH", "DELETE"])
def test_a_plain_request_is_sent_to_the_same_address_by_https(client: Callable[..., Client], method: str) -> None:
    answer = client().open("/api/v1/me?a=b%20c", method=method, headers=PLAIN, base_url="http://evil.example")
    assert answer.status_code == 308
    assert answer.headers["Location"] == "https://fastier.example/api/v1/me?a=b%20c"
    assert answer.data == b""


def test_a_path_cannot_add_a_header(client: Callable[..., Client]) -> None:
    location = client().get("/a%0d%0aSet-Cookie:%20b", headers=PLAIN).headers["Location"]
    assert location == "https://fastier.example/a%0D%0ASet-Cookie%3A%20b"


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/health/dependencies"])
def test_probes_are_never_redirected(client: Callable[..., Client], path: str) -> None:
    assert client().get(path, headers=PLAIN).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-Proto": "https"}])
def test_what_came_encrypted_or_past_the_load_balancer_is_served(
    client: Callable[..., Client], headers: dict[str, str]
) -> None:
    assert client().get("/", headers=headers).status_code == 200


def test_without_a_certificate_plain_http_is_served(client: Callable[..., Client]) -> None:
    assert client(public_url="http://fastier.example").get("/", headers=PLAIN).status_code == 200


def test_without_a_proxy_nobodys_header_is_believed(client: Callable[..., Client]) -> None:
    assert client(trusted_hops=0).get("/", headers=PLAIN).status_code == 200
