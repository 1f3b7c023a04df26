"""What gunicorn with our configuration and middleware promises, asked of real processes."""

import json
import os
import select
import signal
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from fastier.web.sizing import SPARE, TRANSFERS, WAITING_PER_PERMIT

if TYPE_CHECKING:
    from tests.lifecycle.conftest import Serve, Server

PERMITS = 2
PLACES = PERMITS * (1 + WAITING_PER_PERMIT)


def fill_up(server: "Server", permits: int = PERMITS) -> list[socket.socket]:
    """Take every permit and every waiting place; returns the connections, none of them answered.

    All at once, as a queue that stands for a second lets nobody wait for long any more.
    """
    held = [server.hold(f"held{number}") for number in range(permits)]
    clients = [server.send("/") for _ in range(PLACES - permits + 1)]
    answered = select.select(clients, [], [], 1.0)[0]
    assert len(answered) == 1, "it lets everybody wait"
    assert server.rest_of(answered[0]).startswith(b"HTTP/1.1 503 ")
    return held + [client for client in clients if client not in answered]


def probe(server: "Server") -> float:
    """Seconds that the quickest of several probes took; the machine may be busy with other things."""
    answers = [server.get("/health/live") for _ in range(7)]
    assert {answer.status for answer in answers} == {200}
    return min(answer.seconds for answer in answers)


def test_live_answers_at_once_although_every_permit_and_waiting_place_is_stuck(serve: "Serve") -> None:
    server = serve(FASTIER_THREADS=str(PERMITS))
    transfers = [server.hold(f"file{number}", "/storage/") for number in range(TRANSFERS)]
    taken = fill_up(server)
    assert len(taken) == PLACES
    assert probe(server) < 0.1
    refused = [server.get("/") for _ in range(5)]
    assert {answer.status for answer in refused} == {503}
    assert min(answer.seconds for answer in refused) < 0.1
    assert json.loads(refused[0].body)["code"] == "overloaded"
    assert int(refused[0].headers["Retry-After"]) >= 1
    assert server.get("/storage/another").status == 503
    # Those who wait are told after two seconds, and those who do not hang up then cost nobody else anything.
    assert server.rest_of(taken[-1]).startswith(b"HTTP/1.1 503 ")
    assert probe(server) < 0.1
    server.release()
    for client in taken[:PERMITS] + transfers:
        assert server.rest_of(client).startswith(b"HTTP/1.1 200 ")
    assert server.get("/").status == 200


@pytest.mark.skipif(not hasattr(socket, "TCP_DEFER_ACCEPT"), reason="the kernel cannot hold them back")
def test_connections_that_send_nothing_take_no_thread(serve: "Serve") -> None:
    server = serve(FASTIER_THREADS="1")
    threads = 1 + WAITING_PER_PERMIT + TRANSFERS + SPARE
    for _ in range(2 * threads):
        server.send_raw(b"")
    # Were they given threads, the first to come after them would wait for five seconds.
    assert server.get("/health/live").seconds < 2
    assert server.get("/").seconds < 2


def test_sigterm_finishes_what_is_under_way_and_exits_0(serve: "Serve") -> None:
    server = serve()
    client = server.hold("slow")
    server.process.send_signal(signal.SIGTERM)
    server.until(lambda: "Handling signal: term" in server.output())
    server.release()
    assert server.rest_of(client).startswith(b"HTTP/1.1 200 ")
    assert server.process.wait(30) == 0


def test_a_killed_worker_takes_only_its_own_requests_with_it(serve: "Serve") -> None:
    server = serve(WEB_CONCURRENCY="2")
    client = server.hold("lost")
    worker = server.holder("lost")
    os.kill(worker, signal.SIGKILL)
    answers = [server.get("/") for _ in range(100)]
    assert {answer.status for answer in answers} == {200}
    assert server.rest_of(client) == b""
    seen = {answer.headers["X-Process"] for answer in answers}
    assert str(worker) not in seen
    server.until(lambda: server.output().count("Booting worker") == 3)


def test_the_ready_flag_is_one_for_all_workers_and_for_those_that_replace_them(serve: "Serve") -> None:
    server = serve(WEB_CONCURRENCY="2")
    assert server.get("/health/ready").status == 503
    worker = int(server.get("/become-ready").headers["X-Process"])
    for _ in range(40):
        assert server.get("/health/ready").status == 200
    os.kill(worker, signal.SIGKILL)
    server.until(lambda: server.output().count("Booting worker") == 3)
    for _ in range(40):
        assert server.get("/health/ready").status == 200


def test_a_client_that_breaks_off_gives_its_permit_back(serve: "Serve") -> None:
    server = serve(FASTIER_THREADS="1")
    for _ in range(3):
        client = server.send("/endless")
        assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
        # Closing with unread bytes and no lingering resets the connection, as a vanished client would.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        assert server.get("/").status == 200
    server.stop()
    broken = [line for line in server.lines() if line.get("path") == "/endless"]
    assert [(line["aborted"], line["level"]) for line in broken] == [(True, "info")] * 3


def test_every_request_is_one_json_line_and_no_secret_is_in_any(serve: "Serve") -> None:
    server = serve(LOG_LEVEL="DEBUG")
    secret = "hush-hush-canary"
    for path in ("/", "/items/7", "/raise", "/health/live"):
        server.get(f"{path}?token={secret}", {"Authorization": f"Bearer {secret}", "X-Request-Id": f"id.{path[1:5]}"})
    for malformed in (
        f"GET /?token={secret} HTTP/1.1\r\nAuthorization Bearer {secret}\r\n\r\n",
        f"GET /?token={secret} HTTP/9.9\r\n\r\n",
        f"{secret} {secret}\r\n\r\n",
    ):
        assert server.rest_of(server.send_raw(malformed.encode())).startswith(b"HTTP/1.1 400 ")
    assert server.stop() == 0
    assert secret not in server.output()
    requests = [line for line in server.lines() if line["event"] == "request" and line["id"].startswith("id.")]
    # A line is written after the answer, and the next request may have gone to another worker meanwhile.
    assert sorted((line["id"], line["path"], line["status"], line["level"]) for line in requests) == [
        ("id.", "/", 200, "info"),
        ("id.heal", "/health/live", 200, "debug"),
        ("id.item", "/items/7", 200, "info"),
        ("id.rais", "/raise", 500, "error"),
    ]
    assert [line["error"] for line in server.lines() if line["level"] == "error"] == ["RuntimeError: planted"]


def test_a_refused_upload_reads_its_answer_although_its_body_was_not_taken(serve: "Serve") -> None:
    server = serve(FASTIER_THREADS="1")
    fill_up(server, permits=1)
    head = f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {2**21}\r\n\r\n"
    client = server.send_raw(head.encode() + b"x" * 2**21)
    assert server.rest_of(client).startswith(b"HTTP/1.1 503 ")


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("GET / HTTP/1.1\r\nHost: a\r\nbroken\r\n\r\n", 400),
        (f"GET /{'x' * 9000} HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: " + "x" * 9000 + "\r\n\r\n", 431),
        ("GET / HTTP/1.1\r\nHost: a\r\n" + "X: y\r\n" * 100 + "\r\n", 431),
    ],
)
def test_what_is_no_http_gets_a_problem_document_too(serve: "Serve", message: str, status: int) -> None:
    server = serve()
    head, _, body = server.rest_of(server.send_raw(message.encode())).decode().partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert "Content-Security-Policy: default-src 'none'" in head
    assert json.loads(body)["status"] == status


def test_the_server_tells_no_version(serve: "Serve") -> None:
    server = serve()
    assert server.get("/").headers["Server"] == "gunicorn"


def test_a_wrong_setting_stops_the_start_with_one_message(serve: "Serve") -> None:
    with pytest.raises(AssertionError) as stopped:
        serve(FASTIER_THREADS="many", LOG_LEVEL="loud")
    assert "FASTIER_THREADS must be" in str(stopped.value)
    assert "LOG_LEVEL must be" in str(stopped.value)
    assert "Traceback" not in str(stopped.value)
