"""Writes problem documents without Flask, for refusals that must not need the application."""

from collections.abc import Iterable
from http import HTTPStatus
from wsgiref.types import StartResponse

import orjson

from fastier.errors import Problem
from fastier.web.problems import MEDIA_TYPE, document
from fastier.web.request_log import RequestRecord
from fastier.web.security_headers import SecurityHeaders


def answer(problem: Problem, record: RequestRecord, start_response: StartResponse) -> Iterable[bytes]:
    """Send the problem; a HEAD request gets its headers only."""
    status, headers, body = _parts(problem, record.request_id)
    start_response(status, headers)
    return [] if record.method == "HEAD" else [body]


def fail(record: RequestRecord, start_response: StartResponse) -> Iterable[bytes]:
    """The last resort, for an error that even the application's error handler did not turn into an answer."""
    return answer(Problem("It has been logged; quote the request's id when you report it."), record, start_response)


def raw(problem: Problem, request_id: str, security: SecurityHeaders) -> bytes:
    """The whole HTTP/1.1 message, for requests that gunicorn could not parse and no application will see."""
    status, headers, body = _parts(problem, request_id)
    headers += [("X-Request-Id", request_id), ("Connection", "close")]
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in security.complete(headers))]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _parts(problem: Problem, request_id: str) -> tuple[str, list[tuple[str, str]], bytes]:
    body = orjson.dumps(document(problem, request_id))
    headers = [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body))), *problem.headers.items()]
    return f"{problem.status} {HTTPStatus(problem.status).phrase}", headers, body
