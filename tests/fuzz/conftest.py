"""The OpenAPI document as the fuzzer reads it, on the whole application; and how many requests were made up."""

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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many cases were sent, and how many of them in sequences; what the checks send besides is not counted."""
    counts = [
        ("test_sequences" in report.nodeid, value)
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == "cases"
    ]
    if counts:
        in_sequences = sum(value for is_sequence, value in counts if is_sequence)
        alone = sum(value for _, value in counts) - in_sequences
        terminalreporter.write_line(f"{in_sequences} made-up requests in sequences, {alone} one by one")
