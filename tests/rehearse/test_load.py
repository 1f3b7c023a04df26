"""The load against small servers that stall and close, on real connections."""

import os
import select
import signal
import socket
import threading
import time
from collections import Counter
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from ebtools.rehearse.answer import Answer
from ebtools.rehearse.connections import Connections, Pending, Resolver
from ebtools.rehearse.load import Load, LoadError
from ebtools.rehearse.mix import PathMix, Remembered, Request
from ebtools.rehearse.plan import Plan
from ebtools.rehearse.summary import quantile
from tests.rehearse.small_server import GOOD, PEOPLE, plan, run, serving, until


def test_a_stall_is_felt_by_all_who_were_due_meanwhile(tmp_path: Path) -> None:
    alone = threading.Lock()

    def stall_once(connection: socket.socket, number: int) -> None:
        with alone:
            time.sleep(1.5 if number == 20 else 0)
        connection.sendall(GOOD)

    with serving(stall_once) as server:
        _, exchanges = run(plan(server.port), tmp_path, 250)
    assert {exchange.outcome for exchange in exchanges} == {"good"}
    assert (quantile([exchange.took for exchange in exchanges], 0.99) or 0) >= 1
    # A client that waits for one answer before it asks again would have seen the stall once.
    assert sum(exchange.took > 0.5 for exchange in exchanges) >= 90
    dues = sorted(exchange.due for exchange in exchanges)
    assert all(abs(due - number / 100) < 0.001 for number, due in enumerate(dues))


def test_every_request_has_an_id_of_its_own_and_reaches_the_server_once(tmp_path: Path) -> None:
    with serving() as server:
        _, exchanges = run(plan(server.port, name="rolling", host="example.com"), tmp_path, 50)
        heads = list(server.heads)
    ids = [exchange.request_id for exchange in exchanges]
    assert len(set(ids)) == len(ids) == len(heads)
    assert all(id.startswith("rolling-") for id in ids)
    for head in heads:
        assert b"\r\nHost: example.com\r\n" in head
        assert sum(id.encode() + b"\r\n" in head for id in ids) == 1
    assert {exchange.path for exchange in exchanges} == {"/a", "/b"}


def test_connections_are_kept_alive_by_their_clients_and_end_at_their_age(tmp_path: Path) -> None:
    with serving() as server:
        run(plan(server.port, clients=4), tmp_path, 60)
        kept = len(server.open)
        run(plan(server.port, clients=4, connection_seconds=0.05), tmp_path, 60)
        short = len(server.open) - kept
    assert kept < 60
    assert short > 10


def test_a_server_that_closes_idle_connections_causes_no_failure(tmp_path: Path) -> None:
    def answer_and_close(connection: socket.socket, number: int) -> None:
        # The answer and the end in one packet, so that the connection has ended when the next request is due.
        connection.send(GOOD, socket.MSG_MORE)
        connection.shutdown(socket.SHUT_RDWR)

    with serving(answer_and_close) as server:
        _, exchanges = run(plan(server.port, clients=1), tmp_path, 100)
        assert len(server.heads) == len(server.open) == len(exchanges)
    assert {exchange.outcome for exchange in exchanges} == {"good"}


def test_a_connection_that_was_closed_while_idle_is_replaced_before_anything_is_written() -> None:
    random = Random(1)
    with serving() as server:
        connections = Connections(Resolver(("127.0.0.1", server.port), 0, random), 1, 60, 10, random)
        with closing(connections):
            first, closed = connections.take(0)
            assert closed == 0
            until(lambda: bool(first.socket.getpeername()))
            first.pending = Pending(0, 0, Request("1", "GET", "/", b""), Answer("GET"))
            connections.release(first, 0)
            until(lambda: len(server.open) == 1)
            server.break_connections()
            until(lambda: bool(select.select([first.socket], [], [], 0)[0]))
            second, closed = connections.take(0)
            assert closed == 1
            assert second is not first
            assert first.socket.fileno() == -1


def test_after_a_change_of_the_address_old_connections_live_on_and_new_ones_go_there(tmp_path: Path) -> None:
    with serving() as blue, serving() as green, Load(plan(blue.port, rate=50, clients=1), tmp_path) as load:
        load.start()
        until(lambda: load.collect() >= 5)
        load.set_address("127.0.0.1", green.port)
        seen = load.collect()
        until(lambda: load.collect() >= seen + 20)
        assert len(blue.heads) > seen
        blue.break_connections()
        until(lambda: len(green.heads) >= 10)
        opened = len(blue.open)
        until(lambda: len(green.heads) >= 30)
        assert len(blue.open) == opened
        load.stop()


def test_clients_follow_a_change_of_the_address_evenly_within_the_time_to_live() -> None:
    resolver = Resolver(("old", 1), 60, Random(7))
    resolver.change(("new", 1), 1000)
    seen = {age: Counter(resolver.resolve(1000 + age)[0] for _ in range(1000))["new"] for age in (0, 15, 45, 60, 99)}
    assert seen[0] == 0
    assert 200 < seen[15] < 300
    assert 700 < seen[45] < 800
    assert seen[60] == seen[99] == 1000


def test_the_rate_changes_while_it_runs(tmp_path: Path) -> None:
    with serving() as server, Load(plan(server.port, rate=10), tmp_path) as load:
        load.start()
        until(lambda: load.collect() >= 3)
        load.set_rate(200)
        until(lambda: load.collect() >= 50)
        exchanges, _ = load.stop()
    dues = sorted(exchange.due for exchange in exchanges)
    gaps = [round(later - earlier, 4) for earlier, later in pairwise(dues)]
    assert gaps[:2] == [0.1, 0.1]
    assert set(gaps[-40:]) == {0.005}


def test_a_pause_sends_nothing_and_ends(tmp_path: Path) -> None:
    with serving() as server, Load(plan(server.port, rate=0), tmp_path) as load:
        load.start()
        load.set_rate(100)
        until(lambda: load.collect() >= 5)
        load.set_rate(0)
        exchanges, _ = load.stop()
        assert len(server.heads) == len(exchanges)


def test_seconds_count_from_the_moment_that_was_given(tmp_path: Path) -> None:
    with serving() as server, Load(plan(server.port), tmp_path) as load:
        load.start(began=time.monotonic() - 100)
        until(lambda: load.collect() >= 3)
        exchanges, _ = load.stop()
        assert load.now() >= 100
    assert all(100 <= exchange.due <= load.now() for exchange in exchanges)


def test_a_killed_load_keeps_what_it_had_done_and_says_so(tmp_path: Path) -> None:
    with serving() as server, Load(plan(server.port), tmp_path) as load:
        load.start()
        until(lambda: load.collect() >= 20)
        assert load._process is not None
        os.kill(load._process.pid, signal.SIGKILL)
        load._process.wait(10)
        with pytest.raises(LoadError, match="ended with -9"):
            load.set_rate(1)
        with pytest.raises(LoadError, match="ended with -9"):
            load.stop()
    assert len(load.exchanges) >= 20


def test_it_ends_when_whoever_started_it_has_gone(tmp_path: Path) -> None:
    with serving() as server, Load(plan(server.port), tmp_path) as load:
        load.start()
        assert load._process is not None
        assert load._process.stdin is not None
        load._process.stdin.close()
        assert load._process.wait(10) == 0


def test_more_requests_than_are_kept_end_the_load_with_a_message(tmp_path: Path) -> None:
    with serving() as server, Load(plan(server.port, rate=500, most_requests=30), tmp_path) as load:
        load.start()
        until(lambda: load.collect() >= 30)
        with pytest.raises(LoadError, match="30 requests"):
            load.stop()
        assert len(load.exchanges) == len(server.heads) == 30


def test_what_cannot_be_sent_is_refused_before_it_starts() -> None:
    with pytest.raises(ValueError, match="either people or paths"):
        Plan(address="127.0.0.1", port=1, rate=1)
    with pytest.raises(ValueError, match="deadline"):
        plan(1, deadline=0)
    with pytest.raises(ValueError, match="unknown: \\['lists'\\]"):
        Plan(address="127.0.0.1", port=1, rate=1, people=PEOPLE, weights={"lists": 1})


def test_the_token_shows_neither_in_a_representation_nor_in_the_list_of_processes(tmp_path: Path) -> None:
    of = Plan(address="127.0.0.1", port=1, rate=1, people=PEOPLE, headers={"X-Key": "fst_secret"})
    assert "fst_secret" not in repr(of)
    with Load(of, tmp_path) as load:
        load.start()
        assert load._process is not None
        assert b"fst_secret" not in Path(f"/proc/{load._process.pid}/cmdline").read_bytes()


def test_a_seed_gives_the_same_requests_again() -> None:
    def paths(seed: int) -> list[tuple[str, str]]:
        of = Plan(address="127.0.0.1", port=1, rate=1, people=PEOPLE, seed=seed).mix()
        return [(request.method, request.path) for request in (of.next(str(number)) for number in range(100))]

    assert paths(1) == paths(1) != paths(2)
    foreign = PathMix(["/x"], {"Host": "h"}, Random(1)).next("id-1")
    assert foreign.message == b"GET /x HTTP/1.1\r\nHost: h\r\nX-Request-Id: id-1\r\n\r\n"


def test_what_is_remembered_is_bounded_and_forgotten_when_taken() -> None:
    remembered = Remembered(Random(1))
    for number in range(5000):
        remembered.put(str(number), "value")
    assert len(remembered.keys) == len(remembered.values) == 2000
    taken = {remembered.take() for _ in range(2000)}
    assert len(taken) == 2000
    assert remembered.values == {}
    with pytest.raises(IndexError):
        remembered.take()
