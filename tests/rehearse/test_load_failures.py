"""What the load says of requests that were not answered well, and what the ledger makes of it."""

import errno
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ebtools.rehearse.load import Load
from ebtools.rehearse.plan import Plan
from tests.rehearse.small_server import GOOD, HALF, PEOPLE, Play, end, plan, reset, run, serving, until


def break_off(how: Callable[[socket.socket], None], said: bytes = b"") -> Play:
    def play(connection: socket.socket, number: int) -> None:
        if said:
            connection.sendall(said)
        how(connection)
        connection.close()

    return play


def wait_for_the_end(connection: socket.socket) -> None:
    while connection.recv(1024):
        pass


BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
BARE_503 = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
PROBLEM = b'HTTP/1.1 500 Oops\r\nContent-Type: application/problem+json\r\nContent-Length: 17\r\n\r\n{"code":"broken"}'
FAILURES = {
    "ended mid-answer": (break_off(end, HALF), 0, "failed", "connection closed in the middle of the answer"),
    "ended unanswered": (break_off(end), 0, "failed", "connection closed before an answer"),
    "reset unanswered": (break_off(reset), 0, "failed", "connection reset before an answer"),
    "silent": (break_off(wait_for_the_end), 0, "failed", "no answer within 0.3 s"),
    "silent mid-answer": (break_off(wait_for_the_end, HALF), 0, "failed", "no complete answer within 0.3 s"),
    "no HTTP": (break_off(end, b"220 mail.example.com ESMTP\r\n"), 0, "failed", "not an answer of HTTP"),
    "busy": (break_off(end, BUSY), 503, "refused", "status 503, Retry-After 1"),
    "unavailable": (break_off(end, BARE_503), 503, "failed", "status 503"),
    "a problem": (break_off(end, PROBLEM), 500, "failed", "status 500 broken"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_is_not_good_is_told_with_its_cause(name: str, tmp_path: Path) -> None:
    play, status, outcome, cause = FAILURES[name]
    with serving(play) as server:
        _, exchanges = run(plan(server.port, rate=20, deadline=0.3 if "silent" in name else 20), tmp_path, 3)
        assert len(server.heads) == len(exchanges), "something was sent again"
    assert {(exchange.status, exchange.outcome, exchange.cause) for exchange in exchanges} == {(status, outcome, cause)}


EFFECTS = {
    "acknowledged": (b'HTTP/1.1 201 Created\r\nContent-Length: 13\r\n\r\n{"id":"here"}', "here", True, False),
    "denied": (BUSY, "", False, True),
    "unknown by its status": (PROBLEM, "", False, False),
    "unknown by its end": (HALF, "", False, False),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_the_ledger_knows_of_a_write_what_its_answer_says(name: str, tmp_path: Path) -> None:
    answer, item, is_acknowledged, is_denied = EFFECTS[name]
    with serving(break_off(end, answer)) as server:
        load = written(server.port, tmp_path)
        assert len(load.ledger.entries) == len(load.exchanges) + 1
    del load.ledger.entries["prepared-i"]
    for entry in load.ledger.entries.values():
        assert (entry.kind, entry.item, entry.acknowledged is not None, entry.is_denied) == (
            "create",
            item,
            is_acknowledged,
            is_denied,
        )
        assert (entry.title, entry.mark) == (f"Thing {entry.request_id}", f"mark {entry.request_id}")


def test_the_ledger_forgets_what_was_refused_by_a_rule_or_never_sent(tmp_path: Path) -> None:
    conflict = b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n"
    with serving(break_off(end, conflict)) as server:
        assert list(written(server.port, tmp_path).ledger.entries) == ["prepared-i"]
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        assert list(written(silent.getsockname()[1], tmp_path).ledger.entries) == ["prepared-i"]


def written(port: int, folder: Path) -> Load:
    """A load of creates alone, of which the server chooses the ids."""
    of = Plan(address="127.0.0.1", port=port, rate=50, people=PEOPLE, weights={"create_keyed": 1}, deadline=20)
    return run(of, folder, 5)[0]


def test_a_reset_in_the_middle_of_an_answer_is_a_failure(tmp_path: Path) -> None:
    went_on = threading.Event()

    def half_then_reset(connection: socket.socket, number: int) -> None:
        connection.sendall(HALF)
        went_on.wait(20)
        reset(connection)
        connection.close()

    with serving(half_then_reset) as server, Load(plan(server.port, rate=20, deadline=20), tmp_path) as load:
        load.start()
        until(lambda: len(server.heads) >= 3)
        load.set_rate(0)
        went_on.set()
        exchanges, _ = load.stop()
    assert {exchange.outcome for exchange in exchanges} == {"failed"}
    # What the kernel still held of the answer may be gone with the reset.
    assert all(exchange.cause.startswith("connection reset") for exchange in exchanges)


def test_a_request_that_was_written_on_a_reused_connection_is_not_sent_again(tmp_path: Path) -> None:
    used: set[socket.socket] = set()

    def only_the_first(connection: socket.socket, number: int) -> None:
        if connection in used:
            connection.shutdown(socket.SHUT_RDWR)
        else:
            used.add(connection)
            connection.sendall(GOOD)

    with serving(only_the_first) as server:
        _, exchanges = run(plan(server.port, rate=20, clients=1), tmp_path, 10)
        assert len(server.heads) == len(exchanges)
    wanted = "connection closed before an answer, on a reused connection"
    assert {exchange.cause for exchange in exchanges} == {"", wanted}


def test_a_port_where_nobody_listens_refuses(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        _, exchanges = run(plan(silent.getsockname()[1], rate=50), tmp_path, 5)
    assert {exchange.cause for exchange in exchanges} == {"connection refused"}


def test_a_host_that_does_not_answer_at_all_is_given_up_at_the_deadline(tmp_path: Path) -> None:
    # A full backlog drops what arrives, as a black hole does.
    with socket.socket() as full, socket.socket() as one, socket.socket() as two:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filler in (one, two):
            filler.setblocking(False)
            assert filler.connect_ex(full.getsockname()) in (0, errno.EINPROGRESS)
        _, exchanges = run(plan(full.getsockname()[1], rate=50, deadline=0.3), tmp_path, 5)
    assert {exchange.cause for exchange in exchanges} == {"no connection within 0.3 s"}
    assert all(exchange.took >= 0.3 for exchange in exchanges)
