"""One JSON line per request, with its id, and without anything secret."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from werkzeug.test import Client, TestResponse

from fastier import log
from fastier.settings import Settings
from fastier.web.admission import Admission
from fastier.web.middleware import wrap
from fastier.web.request_log import RequestRecord
from fastier.web.sizing import Sizing

LOCAL = {"REMOTE_ADDR": "127.0.0.1"}
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(capfd: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """What has been logged since it was last called."""
    log.configure(Settings("development", "", ""))
    yield lambda: [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    log.configure(Settings("development", "", "", log_level="ERROR"))


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    record: RequestRecord = environ["fastier.record"]
    if environ["PATH_INFO"] == "/raise":
        raise RuntimeError("first line\nDETAIL: Key (email)=(alice@example.org)")
    record.route, record.user, record.statements, record.database_seconds = "/items/{id}", "4f2a", 3, 0.0021
    start_response("201 Created", [])
    return [b"abc", b"defg"]


def client(application: WSGIApplication = app, trusted_hops: int = 0) -> Client:
    settings = Settings("development", "", "", trusted_hops=trusted_hops)
    admission = Admission(Sizing(1, 4, 0, 0))
    return Client(wrap(application, settings=settings, admission=admission, is_ready=lambda: True))


def test_one_line_tells_what_happened(lines: Lines) -> None:
    response = client().post(
        "/items/7?token=hush", environ_base=LOCAL, buffered=True, headers={"Authorization": "Bearer hush"}
    )
    (line,) = lines()
    assert line["id"] == response.headers["X-Request-Id"]
    told = {name: line[name] for name in ("event", "level", "method", "route", "path", "status", "bytes", "user")}
    assert told == {
        "event": "request",
        "level": "info",
        "method": "POST",
        "route": "/items/{id}",
        "path": "/items/7",
        "status": 201,
        "bytes": 7,
        "user": "4f2a",
    }
    assert (line["statements"], line["db_ms"], line["queue_ms"], line["address"]) == (
        3,
        2.1,
        None,
        "127.0.0.1",
    )
    assert line["time"].endswith("Z")
    assert "aborted" not in line
    assert "hush" not in json.dumps(line)


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [("a.B-9_", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ('"\\', False), ("", False)],
)
def test_a_clients_id_is_kept_when_it_is_harmless(given: str, is_kept: bool) -> None:
    returned = client().get("/", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert (returned == given) is is_kept
    assert is_kept or returned[14] == "7"


def test_a_line_break_in_the_path_forges_no_line(lines: Lines) -> None:
    client().get('/a%0A{"event":"forged"}%0D%C3%28', buffered=True)
    (line,) = lines()
    assert line["path"] == '/a\n{"event":"forged"}\r�('


def test_an_error_is_one_line_with_its_stack_and_without_the_row(lines: Lines) -> None:
    response = client().get("/raise", buffered=True)
    assert response.get_json()["code"] == "internal_error"
    (line,) = lines()
    assert (line["level"], line["status"], line["error"]) == ("error", 500, "RuntimeError: first line")
    assert line["stack"].endswith(" app")
    assert "alice" not in json.dumps(line)


def test_an_error_that_the_application_answered_keeps_its_stack(lines: Lines) -> None:
    def answered(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            raise KeyError("a") from ValueError("b")
        except KeyError as error:
            environ["fastier.record"].error = error
        start_response("500 Internal Server Error", [])
        return [b"{}"]

    client(answered).get("/", buffered=True)
    (line,) = lines()
    assert (line["level"], line["error"], line["cause"]["error"]) == (
        "error",
        "KeyError: 'a'",
        "ValueError: b",
    )


def test_a_response_cut_short_is_marked(lines: Lines) -> None:
    def first_chunk(response: TestResponse) -> None:
        next(iter(response.response))
        response.close()

    first_chunk(client().get("/"))
    (line,) = lines()
    assert (line["aborted"], line["bytes"]) == (True, 3)


def test_the_address_is_the_one_that_the_outermost_trusted_proxy_saw(lines: Lines) -> None:
    header = {"X-Forwarded-For": "6.6.6.6, 198.51.100.7, 10.0.0.3"}
    for hops in (0, 1, 2, 5):
        client(trusted_hops=hops).get("/", headers=header, environ_base=LOCAL, buffered=True)
    assert [line["address"] for line in lines()] == ["127.0.0.1", "10.0.0.3", "198.51.100.7", "6.6.6.6"]


def test_probes_are_told_at_debug_level_only(lines: Lines) -> None:
    client().get("/health/live", buffered=True)
    assert lines() == []


def test_a_line_that_finds_no_room_is_lost_and_the_answer_is_not(lines: Lines) -> None:
    kept = os.dup(1)
    with open("/dev/full", "wb") as full:
        os.dup2(full.fileno(), 1)
    try:
        response = client().get("/items/7", environ_base=LOCAL, buffered=True)
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    assert (response.status_code, response.data) == (201, b"abcdefg")
    assert lines() == []


def test_even_what_is_no_json_is_one_line() -> None:
    assert json.loads(log.to_json({"a": "\ud800", "b": 2**70, "c": object}))["b"] == 2**70
