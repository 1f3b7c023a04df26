"""The ledger on a real PostgreSQL: written by the real application under gunicorn, while it is under the real load."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest

from ebtools.rehearse import ledger as ledgers
from ebtools.rehearse.ledger import Entry, Ledger, LedgerError, LedgerResult
from ebtools.rehearse.load import Load
from ebtools.rehearse.mix import WEIGHTS, Write
from ebtools.rehearse.people import API, People, PrepareError, prepare
from ebtools.rehearse.plan import Plan
from ebtools.rehearse.record import Exchange
from tests.lifecycle.conftest import ROOT, free_port

UNKNOWN_ID = "01900000-0000-7000-8000-000000000000"


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} seconds in vain"
        time.sleep(0.02)


@dataclass
class Served:
    """The real application on a port of this machine, on its database."""

    process: "subprocess.Popen[bytes]"
    port: int
    url: str

    def is_ready(self) -> bool:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            try:
                connection.request("GET", "/health/ready")
                return connection.getresponse().status == 200
            except OSError:
                return False

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def execute(self, statement: str, *parameters: str) -> int:
        with closing(psycopg2.connect(self.url.replace("+psycopg2", ""))) as link, link, link.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.rowcount


@contextmanager
def gunicorn(url: str, folder: Path) -> Iterator[Served]:
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": url,
        "FASTIER_SECRET_KEY": "of the tests of the ledger " * 2,
        "FASTIER_STORAGE_PATH": str(folder / "storage"),
        "FASTIER_RATE_LIMIT": "1000000",
        "WEB_CONCURRENCY": "2",
        "PORT": str(port),
    }
    command = [sys.executable, "-m", "gunicorn", "application:application"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        served = Served(process, port, url)
        until(served.is_ready)
        yield served
    finally:
        process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class Played:
    """A finished run of the load against the real application, and its ledger's result before anybody did damage."""

    served: Served
    people: People
    exchanges: list[Exchange]
    ledger: Ledger
    result: LedgerResult

    def check(self) -> LedgerResult:
        return self.ledger.check(self.served.url)


def play(served: Served, people: People, folder: Path, requests: int, meanwhile: Callable[[], None]) -> Load:
    of = Plan(address="127.0.0.1", port=served.port, rate=80, name="act", people=people, clients=8)
    with Load(of, folder) as load:
        load.start()
        until(lambda: load.collect() >= requests // 2)
        meanwhile()
        until(lambda: load.collect() >= requests)
        load.stop()
    return load


@pytest.fixture(scope="module")
def served(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with gunicorn(database_url, tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(scope="module")
def played(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Played:
    people = prepare(f"http://127.0.0.1:{served.port}", items=20)
    load = play(served, people, tmp_path_factory.mktemp("load"), 400, lambda: None)
    return Played(served, people, load.exchanges, load.ledger, load.ledger.check(served.url))


def test_everything_that_was_acknowledged_is_there(played: Played) -> None:
    assert Counter(exchange.outcome for exchange in played.exchanges) == {"good": len(played.exchanges)}
    written = sum(exchange.method != "GET" for exchange in played.exchanges)
    assert written >= 50
    assert played.result.passed
    assert played.result == LedgerResult(written + 20, [], [], 0, 0)


def test_the_load_has_all_kinds_of_requests(played: Played) -> None:
    kinds = {(exchange.method, exchange.path.rpartition("/")[2].partition("?")[0]) for exchange in played.exchanges}
    assert {("GET", "items"), ("POST", "items"), ("POST", "complete")} <= kinds
    assert {"PATCH"} <= {method for method, _ in kinds}
    assert any("filter=" in exchange.path for exchange in played.exchanges)
    assert {200, 201, 304} <= {exchange.status for exchange in played.exchanges}
    assert {entry.kind for entry in played.ledger.entries.values()} == {"create", "edit", "complete"}
    assert any(exchange.path.startswith(f"{API}/items/") for exchange in played.exchanges if exchange.status == 304)
    assert set(WEIGHTS) == {"list", "item", "filter", "not_modified", "create", "create_keyed", "edit", "complete"}


def last_write(played: Played, kind: str, number: int = 0) -> Entry:
    """An acknowledged write of that kind after which its item was not written any more."""
    last = {entry.item: entry for entry in played.ledger.entries.values()}
    return [entry for entry in last.values() if entry.kind == kind and not entry.request_id.startswith("prep")][number]


def test_a_row_that_was_deleted_behind_its_back_is_lost(played: Played) -> None:
    entry = last_write(played, "create", 0)
    assert played.served.execute("DELETE FROM items WHERE id = %s", entry.item) == 1
    faults = [fault for fault in played.check().lost if fault.item == entry.item]
    assert [(fault.request_id, fault.kind, fault.found) for fault in faults] == [
        (entry.request_id, "create", "no such item")
    ]
    assert faults[0].wanted == f"title {entry.title}"
    assert faults[0].acknowledged > 0


def test_an_item_in_the_trash_is_lost(played: Played) -> None:
    entry = last_write(played, "create", 1)
    assert played.served.execute("UPDATE items SET deleted_at = now() WHERE id = %s", entry.item) == 1
    assert [fault.found for fault in played.check().lost if fault.item == entry.item] == ["deleted"]


def test_a_prepared_item_that_is_gone_is_lost_too(played: Played) -> None:
    item = next(iter(played.people.items))
    assert played.served.execute("DELETE FROM items WHERE id = %s", item) == 1
    assert item in {fault.item for fault in played.check().lost}


def test_a_title_that_nobody_sent_is_told_once_with_what_was_found(played: Played) -> None:
    entry = last_write(played, "edit", 0)
    assert played.served.execute("UPDATE items SET title = 'other' WHERE id = %s", entry.item) == 1
    faults = [fault for fault in played.check().lost if fault.item == entry.item]
    assert [(fault.request_id, fault.wanted, fault.found) for fault in faults] == [
        (entry.request_id, f"title {entry.title}", "title other")
    ]


def test_an_edit_that_went_back_is_lost(played: Played) -> None:
    entry = last_write(played, "edit", 1)
    before = next(one for one in played.ledger.entries.values() if one.item == entry.item)
    assert before.kind == "create"
    assert played.served.execute("UPDATE items SET title = %s WHERE id = %s", before.title, entry.item) == 1
    faults = [fault for fault in played.check().lost if fault.item == entry.item]
    assert [fault.request_id for fault in faults] == [entry.request_id]


def test_an_item_that_is_open_again_is_lost(played: Played) -> None:
    entry = last_write(played, "complete", 0)
    assert played.served.execute("UPDATE items SET completed_at = NULL WHERE id = %s", entry.item) == 1
    faults = [fault for fault in played.check().lost if fault.item == entry.item]
    assert [(fault.kind, fault.wanted, fault.found) for fault in faults] == [("complete", "completed", "open")]


def test_a_create_that_acted_twice_is_doubled(played: Played) -> None:
    entry = next(one for one in played.ledger.entries.values() if one.item == last_write(played, "create", 2).item)
    copied = played.served.execute(
        """INSERT INTO items (id, workspace_id, list_id, title, notes, position, revision)
        SELECT %s, workspace_id, list_id, title, notes, position || '1', revision FROM items WHERE id = %s""",
        UNKNOWN_ID,
        entry.item,
    )
    assert copied == 1
    faults = played.check().doubled
    assert [(fault.request_id, fault.wanted) for fault in faults] == [(entry.request_id, "one item")]
    assert UNKNOWN_ID in faults[0].found
    assert entry.item in faults[0].found


def test_what_became_of_unknown_writes_is_counted_and_is_no_fault(played: Played) -> None:
    title, mark = f"Thing {time.time_ns()}", f"mark {time.time_ns()}"
    item = last_write(played, "create", 3).item
    assert played.served.execute("UPDATE items SET title = %s, notes = %s WHERE id = %s", title, mark, item) == 1
    ledger = Ledger(played.people.workspace)
    ledger.sent("1", Write("create", "", title, mark))
    ledger.sent("2", Write("create", UNKNOWN_ID[:-1] + "9", title, "mark of none"))
    ledger.sent("3", Write("create", "", title, "mark of none either"))
    ledger.sent("4", Write("complete", item))
    ledger.sent("5", Write("edit", item, title))
    ledger.sent("6", Write("edit", item, "never arrived"))
    ledger.sent("7", Write("create", "", "refused", "mark of what was refused"))
    ledger.forget("7")
    assert ledger.check(played.served.url) == LedgerResult(0, [], [], 2, 4)
    ledger.deny("2")
    ledger.deny("5")
    result = ledger.check(played.served.url)
    assert (result.unknown_present, result.unknown_absent) == (1, 3)
    assert [fault.request_id for fault in result.denied_present] == ["5"]


@pytest.mark.parametrize("held", ["first", "second"])
def test_after_an_edit_of_unknown_outcome_either_title_may_hold(played: Played, held: str) -> None:
    item = last_write(played, "create", 4).item
    ledger = Ledger(played.people.workspace)
    ledger.sent("1", Write("create", item, "first", "mark of either"))
    ledger.acknowledge("1", item, 1.0)
    ledger.sent("2", Write("edit", item, "second"))
    assert played.served.execute("UPDATE items SET title = %s WHERE id = %s", held, item) == 1
    assert ledger.check(played.served.url).passed
    assert played.served.execute("UPDATE items SET title = 'third' WHERE id = %s", item) == 1
    assert not ledger.check(played.served.url).passed


def test_all_pages_of_the_workspace_are_read(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = played.check()
    monkeypatch.setattr(ledgers, "ROWS_AT_ONCE", 7)
    assert played.check() == whole
    monkeypatch.setattr(ledgers, "MOST_ROWS", 14)
    with pytest.raises(LedgerError, match="more than 14"):
        played.check()


def test_a_database_that_does_not_answer_leaves_nothing_claimed(played: Played) -> None:
    with pytest.raises(LedgerError) as refused:
        played.ledger.check(f"postgresql://somebody:secret@127.0.0.1:{free_port()}/none")
    assert "secret" not in str(refused.value)


def test_a_killed_worker_loses_nothing_that_was_acknowledged(served: Served, tmp_path: Path) -> None:
    people = prepare(f"http://127.0.0.1:{served.port}", items=3)

    def kill() -> None:
        os.kill(served.workers()[0], signal.SIGKILL)

    load = play(served, people, tmp_path, 300, kill)
    result = load.ledger.check(served.url)
    assert result.passed, result
    failed = [exchange for exchange in load.exchanges if exchange.outcome != "good"]
    assert result.unknown_present + result.unknown_absent <= len(failed)
    assert all(exchange.cause for exchange in failed)


def test_whoever_cannot_be_registered_is_told_why(served: Served) -> None:
    with pytest.raises(PrepareError, match="no address"):
        prepare("https://example.com")
    with pytest.raises(PrepareError, match="POST /auth/register was answered 400 bad_request"):
        prepare(f"http://127.0.0.1:{served.port}/", headers={"Host": "\u007f"})
    with pytest.raises(OSError, match="refused"):
        prepare(f"http://127.0.0.1:{free_port()}")
