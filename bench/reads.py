"""Measures boards, filters, search, sync and a mixture as a workspace grows to a million items beside others."""

import argparse
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

from bench import content, readme
from bench.content import Content
from bench.machine import about
from bench.questions import KINDS, Requests, mixture
from bench.servers import ROOT, Figures, cpu_seconds, postmaster, serving, start_cluster, vacuum
from ebtools.local.postgres import Cluster
from fastier.database import Database, migrate

SIZES = (1_000, 100_000, 1_000_000)
NEIGHBOURS, NEIGHBOURS_ITEMS = 1000, 200
PLACEMENT = "server, database and load generator share the machine's cores"
MIXED_CONNECTIONS = 8
SYNC = "sync: nothing new"
Key = tuple[str, int]


def main() -> int:
    options = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="fastier-bench-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        cluster = start_cluster(folder)
        try:
            results = _measure(cluster, folder, options)
        finally:
            cluster.stop("immediate")
    path = ROOT / "bench" / "results" / f"reads-{datetime.now(UTC):%Y-%m-%d}.json"
    path.write_text(json.dumps(results, indent=2) + "\n")
    table = _table(results)
    print(table)
    if options.readme:
        readme.write("reads", table)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.reads", description=__doc__)
    parser.add_argument("--seconds", type=int, default=2, help="how long each measurement of a round takes (default 2)")
    parser.add_argument("--rounds", type=int, default=3, help="how many interleaved rounds (default 3)")
    parser.add_argument("--most-items", type=int, default=1_000_000, help="leave out larger workspaces")
    parser.add_argument("--neighbours", type=int, default=NEIGHBOURS, help="how many other workspaces (default 1000)")
    parser.add_argument("--only", default="", help="only what has this in its name, such as 'search'")
    parser.add_argument("--readme", action="store_true", help="replace the table in README.md")
    return parser


def _measure(cluster: Cluster, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    places = _fill(cluster.url(), [size for size in SIZES if size <= options.most_items], options.neighbours)
    environment = {
        "DATABASE_URL": cluster.url(),
        "FASTIER_SECRET_KEY": "bench " * 8,
        "FASTIER_STORAGE_PATH": str(folder / "storage"),
        "FASTIER_MAIL_PATH": str(folder / "mail"),
        "FASTIER_RATE_LIMIT": "10000000",
        "LOG_LEVEL": "INFO",
    }
    found = {"about": about(cluster, f"python -m bench.reads {' '.join(sys.argv[1:])}".strip(), PLACEMENT)}
    command = [sys.executable, "-m", "gunicorn", "application:application"]
    with serving(command, environment, "/health/ready") as (port, pid, _):
        found |= _Measuring(folder, port, options.rounds, options.seconds).run(places, options.only)
        middle = places[min(100_000, max(places))]
        found["mixed"] = _mixed(folder, port, middle, options.seconds * 3, (pid, postmaster(cluster)))
    return found


def _fill(url: str, sizes: list[int], count: int) -> dict[int, Content]:
    plain = url.replace("+psycopg2", "")
    migrate.upgrade(url)
    database = Database(url)
    try:
        places = {size: content.fill(database, plain, f"size-{size}", size) for size in sizes}
        # Whoever owns the largest workspace belongs to all the others, too.
        content.neighbours(database, plain, places[sizes[-1]], count, NEIGHBOURS_ITEMS)
    finally:
        database.close()
    vacuum(plain)
    return places


class _Measuring:
    """Asks for each kind at each size, in turn, so that what else happens on the machine meets all alike."""

    def __init__(self, folder: Path, port: int, rounds: int, seconds: int) -> None:
        self.folder, self.port, self.rounds, self.seconds = folder, port, rounds, seconds
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def run(self, places: dict[int, Content], only: str) -> dict[str, Any]:
        asked = {(name, n): make(place) for name, make in KINDS.items() if only in name for n, place in places.items()}
        read = {n: self._synced(place) for n, place in places.items() if only in SYNC}
        for n, (cursor, _) in read.items():
            asked[SYNC, n] = [f"GET /api/v1/workspaces/{places[n].workspace}/sync?cursor={quote(cursor)}"]
        sizes = {key: len(self._body(requests[0].split(" ")[1], places[key[1]])) for key, requests in asked.items()}
        kinds: dict[str, Any] = {}
        for (name, n), figures in self._told(asked, places).items():
            kinds.setdefault(name, {})[str(n)] = _medians(figures) | {"bytes": sizes[name, n]}
        return {"kinds": kinds, "sync_all_seconds": {str(n): round(seconds, 1) for n, (_, seconds) in read.items()}}

    def _told(self, asked: dict[Key, Requests], places: dict[int, Content]) -> dict[Key, list[Figures]]:
        told: dict[Key, list[Figures]] = {key: [] for key in asked}
        for number in range(self.rounds):
            for key, requests in asked.items():
                told[key].append(wrk(self.folder, self.port, places[key[1]], requests, 1, self.seconds))
            print(f"round {number + 1} of {self.rounds} done", file=sys.stderr)
        return told

    def _synced(self, place: Content) -> tuple[str, float]:
        """The cursor of a client that has read the whole workspace, and the seconds that this took."""
        path, began = f"/api/v1/workspaces/{place.workspace}/sync?limit=200", time.monotonic()
        answer = json.loads(self._body(path, place))
        while answer["has_more"]:
            answer = json.loads(self._body(f"{path}&cursor={quote(answer['next_cursor'])}", place))
        return str(answer["next_cursor"]), time.monotonic() - began

    def _body(self, path: str, place: Content) -> bytes:
        self.connection.request("GET", path, headers={"Authorization": f"Bearer {place.place.token}"})
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}: {body[:200]!r}")
        return body


def wrk(folder: Path, port: int, place: Content, requests: Requests, connections: int, seconds: int) -> Figures:
    """Send these in turn, over and over, on so many connections; any answer but success stops the measurement."""
    program = shutil.which("wrk")
    if program is None:
        raise SystemExit("wrk is missing; install it: apt-get install wrk")
    listed = folder / "requests.txt"
    listed.write_text("\n".join(requests) + "\n")
    environment = {**os.environ, "BENCH_TOKEN": place.place.token, "BENCH_REQUESTS": str(listed)}
    command = [program, "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(ROOT / "bench" / "requests.lua")]
    command.append(f"http://127.0.0.1:{port}")
    told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds + 60, check=True)
    figures = Figures(**json.loads(told.stdout.split("FIGURES ")[1]))
    if figures.failed:
        raise RuntimeError(f"{figures.failed} of {figures.requests} failed, such as {requests[0]}")
    return figures


def _mixed(folder: Path, port: int, place: Content, seconds: int, pids: tuple[int, int]) -> dict[str, Any]:
    """What a busy team does: the rate on eight connections, and what a request costs on each side."""
    before = [cpu_seconds(pid) for pid in pids]
    figures = wrk(folder, port, place, mixture(place), MIXED_CONNECTIONS, seconds)
    python, postgres = (cpu_seconds(pid) - past for pid, past in zip(pids, before, strict=True))
    return asdict(figures) | {
        "items": place.place.items,
        "per_second_and_core": round(figures.per_second / len(os.sched_getaffinity(0)), 1),
        "python_ms": round(python / figures.requests * 1000, 2),
        "postgresql_ms": round(postgres / figures.requests * 1000, 2),
    }


def _medians(figures: list[Figures]) -> dict[str, float]:
    return {
        name: round(median(getattr(each, name) for each in figures), 2) for name in ("p50_ms", "p95_ms", "per_second")
    }


def _table(results: dict[str, Any]) -> str:
    found = results["about"]
    sizes = list(next(iter(results["kinds"].values())))
    rows = [
        f"Measured on {found['date']} by `{found['command']}` at {found['commit']}: {found['cores']} cores of "
        f"{found['machine']}, Python {found['python']}, PostgreSQL {found['postgresql']}; {found['placement']}. One "
        f"request after another, p95 by the number of items in the workspace; medians of interleaved rounds. "
        "Growth is the largest workspace against the smallest whose answer is as full.",
        "",
        f"| | {' | '.join(f'{int(size):,}' for size in sizes)} | growth, p50 | largest answer |",
        "|---|" + "---:|" * (len(sizes) + 2),
    ]
    for name, each in results["kinds"].items():
        cells = " | ".join(f"{each[size]['p95_ms']:.1f} ms" for size in sizes)
        growth = each[sizes[-1]]["p50_ms"] / each[_as_full(each, sizes)]["p50_ms"]
        rows.append(f"| {name} | {cells} | {growth:.2f} × | {max(each[n]['bytes'] for n in sizes) / 1000:.1f} kB |")
    return "\n".join([*rows, "", _mixed_in_words(results["mixed"]), "", _sync_in_words(results["sync_all_seconds"])])


def _as_full(each: dict[str, Any], sizes: list[str]) -> str:
    """The smallest workspace whose answer holds as much as the largest one's: a page of five items proves nothing."""
    return next(size for size in sizes if each[size]["bytes"] >= 0.8 * each[sizes[-1]]["bytes"])


def _mixed_in_words(mixed: dict[str, Any]) -> str:
    return (
        f"A mixture on {MIXED_CONNECTIONS} connections at {mixed['items']:,} items (of a hundred requests 40 pages, 20 "
        f"filters, 10 boards, 10 searches, 5 times the lists, 15 new items): {mixed['per_second']:.0f} requests a "
        f"second, {mixed['per_second_and_core']:.0f} for each core, p95 {mixed['p95_ms']:.0f} ms; each takes "
        f"{mixed['python_ms']} ms of processor time in Python and {mixed['postgresql_ms']} ms in PostgreSQL."
    )


def _sync_in_words(seconds: dict[str, float]) -> str:
    each = ", ".join(f"{int(items):,} items in {took:.0f} s" for items, took in seconds.items())
    return f"A client that has nothing yet reads all by sync: {each}."


if __name__ == "__main__":
    sys.exit(main())
