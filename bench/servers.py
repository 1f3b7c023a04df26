"""Starts what is measured: PostgreSQL with filled workspaces, gunicorn, pgbench and wrk."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psycopg2
from sqlalchemy import event
from uuid_utils.compat import uuid7
from werkzeug.test import Client

from ebtools.local import binaries
from ebtools.local.account import server_account
from ebtools.local.postgres import Cluster, free_port, new_password
from fastier import app as composition
from fastier.accounts.queries import insert_user
from fastier.accounts.service import _start_session
from fastier.database import Database
from fastier.lists.service import create_inbox
from fastier.settings import Settings
from fastier.web.sizing import Sizing
from fastier.workspaces import queries as workspaces
from fastier.workspaces.access import Access

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS = 30
TAGS = ("tag-1", "tag-2")


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace of a size, and somebody who may use it."""

    items: int
    token: str
    inbox: str


@dataclass(frozen=True, slots=True)
class Figures:
    """What wrk or pgbench said; `failed` must be 0 for the rest to mean anything."""

    requests: int
    failed: int
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


def start_cluster(folder: Path) -> Cluster:
    """An empty PostgreSQL in this folder, running with memory of a small server's size."""
    account = server_account(folder / "data")
    settings = {"shared_buffers": "512MB", "max_wal_size": "4GB", "effective_cache_size": "4GB"}
    cluster = Cluster(
        binaries.reachable(binaries.find(), account, folder),
        folder / "data",
        password=new_password(),
        account=account,
        settings=settings,
    )
    cluster.create()
    cluster.start()
    return cluster


def postmaster(cluster: Cluster) -> int:
    """The process at the top of PostgreSQL."""
    assert cluster.child is not None
    return cluster.child.process.pid


_FILL = """
WITH held AS (UPDATE workspaces w SET revision = w.revision + %(count)s FROM lists l
        WHERE l.id = %(list)s AND w.id = l.workspace_id RETURNING w.id, w.revision - %(count)s AS revision),
    tag AS (INSERT INTO tags (id, workspace_id, name, folded, revision)
        SELECT gen_random_uuid(), id, 'tag-' || n, 'tag-' || n, revision + 1 FROM held, generate_series(1, 20) n
        RETURNING id, workspace_id, folded),
    item AS (INSERT INTO items (id, workspace_id, list_id, title, notes, position, revision, due_date)
        SELECT gen_random_uuid(), id, %(list)s, 'item ' || n, 'a line of notes', 'n' || lpad(n::text, 10, '0') || 'V',
            revision + n, CASE WHEN n %% 3 = 0 THEN date '2026-12-01' + n %% 300 END
        FROM held, generate_series(1, %(count)s) n RETURNING id, workspace_id, revision)
INSERT INTO item_tags (item_id, tag_id, workspace_id)
SELECT i.id, t.id, i.workspace_id FROM item i
JOIN tag t ON t.folded IN ('tag-' || (i.revision %% 20 + 1), 'tag-' || ((i.revision + 7) %% 20 + 1))
"""


def fill(database: Database, url: str, items: int) -> Place:
    """A person whose inbox holds so many items with two tags each."""
    fields = {"id": uuid7(), "email": f"{items}@example.com", "name": "bench", "password_hash": "", "timezone": "UTC"}
    with database.transaction() as connection:
        user = insert_user(connection, fields)
        assert user is not None
        held = Access(uuid7(), 1, "owner")
        workspaces.insert(connection, user["id"], held.workspace_id, "bench", is_personal=True)
        inbox = create_inbox(connection, held)["id"]
        token = _start_session(connection, user["id"], "bench")
    filling = psycopg2.connect(url)
    try:
        with filling, filling.cursor() as cursor:
            cursor.execute(_FILL, {"count": items, "list": str(inbox)})
    finally:
        filling.close()
    return Place(items, token, str(inbox))


def cpu_seconds(root: int) -> float:
    """Processor time that a process and its children have used, by the kernel's count."""
    ticks = os.sysconf("SC_CLK_TCK")
    children: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        pid = int(path.parent.name)
        children.setdefault(int(fields[1]), []).append(pid)
        used[pid] = (int(fields[11]) + int(fields[12])) / ticks
    waiting, total = [root], 0.0
    for _ in range(len(used)):
        if not waiting:
            break
        pid = waiting.pop()
        total += used.get(pid, 0.0)
        waiting += children.get(pid, [])
    return total


def vacuum(url: str) -> None:
    """Bring statistics and the visibility map up to date, as autovacuum would have by and by."""
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        connection.cursor().execute("VACUUM ANALYZE")
        connection.cursor().execute("CHECKPOINT")
    finally:
        connection.close()


@contextmanager
def serving(command: list[str], environment: dict[str, str], ready: str) -> Iterator[tuple[int, int, float]]:
    """Run a server: its port, its process id, and the seconds until it answered `ready`."""
    port = free_port()
    environment = {**os.environ, **environment, "PORT": str(port)}
    started = time.perf_counter()
    process = subprocess.Popen(
        [part.replace("{port}", str(port)) for part in command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _answers(port, ready):
            if process.poll() is not None or time.perf_counter() - started > READY_SECONDS:
                raise RuntimeError(f"{command} did not start")
            time.sleep(0.01)
        yield port, process.pid, time.perf_counter() - started
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(40)


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 500
    except OSError:
        return False
    finally:
        connection.close()


def wrk(port: int, place: Place, kind: str, *, connections: int, seconds: int) -> Figures:
    """Ask for pages or create items, over and over, on so many connections."""
    program = shutil.which("wrk")
    if program is None:
        raise SystemExit("wrk is missing; install it: apt-get install wrk")
    creates = kind == "create"
    environment = {
        **os.environ,
        "BENCH_METHOD": "POST" if creates else "GET",
        "BENCH_BODY": orjson.dumps({"title": "measured", "tags": TAGS}).decode() if creates else "",
        "BENCH_TOKEN": place.token,
    }
    query = "" if creates else "?limit=50"
    address = f"http://127.0.0.1:{port}/api/v1/lists/{place.inbox}/items{query}"
    command = [program, "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(ROOT / "bench" / "load.lua"), address]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds + 60, check=True)
    return Figures(**json.loads(told.stdout.split("FIGURES ")[1]))


def statements_of(settings: Settings, place: Place, kind: str) -> list[str]:
    """The SQL that one such request sends, with its values in place, for pgbench to send again."""
    services = composition.build_services(settings, pool_size=1)
    sent: list[str] = []

    @event.listens_for(services.database.engine, "before_cursor_execute")
    def keep(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append(" ".join(cursor.mogrify(statement, parameters or None).decode().split()))

    application = composition.build_application(services, Sizing(1, 1, 1, 1))
    client = Client(application, use_cookies=False)
    headers = {"Authorization": f"Bearer {place.token}", "Content-Type": "application/json"}
    path = f"/api/v1/lists/{place.inbox}/items"
    if kind == "create":
        answer = client.post(path, data=orjson.dumps({"title": "measured", "tags": TAGS}), headers=headers)
    else:
        answer = client.get(f"{path}?limit=50", headers=headers)
    assert answer.status_code in (200, 201), answer.text
    services.database.close()
    made = orjson.loads(answer.data).get("id")
    # Each transaction of pgbench must make an item of its own.
    return [re.sub(rf"'{made}'(::uuid)?", "gen_random_uuid()", each) for each in sent] if made else sent


def pgbench(cluster: Cluster, url: str, statements: list[str], folder: Path, *, clients: int, seconds: int) -> Figures:
    """The same statements from PostgreSQL's own client, which does nothing with the rows."""
    script = folder / "same.sql"
    script.write_text("".join(f"{statement};\n" for statement in statements))
    log = folder / "pgbench"
    command = [cluster.programs / "pgbench", "-n", "-f", str(script), f"-c{clients}", "-j1", f"-T{seconds}"]
    command += ["-M", "simple", "-l", f"--log-prefix={log}", url]
    told = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=True).stdout
    took = sorted(int(line.split()[2]) for path in folder.glob("pgbench.*") for line in path.read_text().splitlines())
    failed = re.search(r"number of failed transactions: (\d+)", told)
    rate = re.search(r"tps = ([\d.]+)", told)
    assert failed is not None
    assert rate is not None
    shares = [took[min(len(took) - 1, int(len(took) * share))] / 1000 for share in (0.5, 0.95, 0.99)]
    for path in folder.glob("pgbench.*"):
        path.unlink()
    return Figures(len(took), int(failed.group(1)), float(rate.group(1)), *shares)
