"""The OpenAPI document as the fuzzer reads it, on the whole application."""

from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import schemathesis
from werkzeug.test import Client, run_wsgi_app


@pytest.fixture
def schema(client: Client) -> Any:
    def served(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        """The application as a server runs it: every response is closed, which the fuzzer's client leaves out."""
        body, status, headers = run_wsgi_app(client.application, environ, buffered=True)
        start_response(status, list(headers))
        return list(body)

    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", served)
