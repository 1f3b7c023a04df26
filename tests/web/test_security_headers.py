"""Every response carries the security headers, and the application's own values win."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.datastructures import Headers
from werkzeug.test import Client

from fastier.web.security_headers import DEFAULTS, SecurityHeaders


def get(*headers: tuple[str, str], production: bool = False) -> Headers:
    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(headers))
        return [b"hello"]

    return Client(SecurityHeaders(app, production=production)).get("/").headers


def test_a_bare_response_gets_every_header_once() -> None:
    headers = get()
    assert {name: headers.getlist(name) for name in DEFAULTS} == {name: [value] for name, value in DEFAULTS.items()}


def test_the_applications_own_value_is_kept_whatever_its_case() -> None:
    headers = get(("cache-control", "private, no-cache"), ("CONTENT-SECURITY-POLICY", "default-src 'self'"))
    assert headers.getlist("Cache-Control") == ["private, no-cache"]
    assert headers.getlist("Content-Security-Policy") == ["default-src 'self'"]


def test_only_production_demands_https() -> None:
    assert "Strict-Transport-Security" not in get()
    assert get(production=True)["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
