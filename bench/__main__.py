"""Runs the measurements side by side in one run, and writes them into bench/results/ and the README."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench import readme
from bench.machine import about
from bench.servers import (
    ROOT,
    Figures,
    cpu_seconds,
    fill,
    pgbench,
    postmaster,
    serving,
    start_cluster,
    statements_of,
    vacuum,
    wrk,
)
from ebtools.local.postgres import Cluster
from fastier.database import Database, migrate
from fastier.settings import Settings

SIZES = (1_000, 100_000, 1_000_000)
KINDS = ("page", "create")
ROUNDS = 5
Way = Callable[[], Figures]
PLACEMENT = "server, database and load generator share the machine's cores"


def main() -> int:
    options = _parser().parse_args()
    sizes = [size for size in SIZES if size <= options.most_items]
    with tempfile.TemporaryDirectory(prefix="fastier-bench-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        cluster = start_cluster(folder)
        try:
            results = _measure(cluster, folder, sizes, options.seconds)
        finally:
            cluster.stop("immediate")
    path = ROOT / "bench" / "results" / f"{datetime.now(UTC):%Y-%m-%d}.json"
    path.write_text(json.dumps(results, indent=2) + "\n")
    table = _table(results)
    print(table)
    if options.readme:
        readme.write("bench", table)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="how long each measurement of a round takes (default 4)")
    parser.add_argument("--most-items", type=int, default=1_000_000, help="leave out larger workspaces")
    parser.add_argument("--readme", action="store_true", help="replace the table in README.md")
    return parser


def _measure(cluster: Cluster, folder: Path, sizes: list[int], seconds: int) -> dict[str, Any]:
    url = cluster.url()
    plain = url.replace("+psycopg2", "")
    migrate.upgrade(url)
    database = Database(url)
    places = {size: fill(database, plain, size) for size in sizes}
    database.close()
    vacuum(plain)
    settings = Settings(
        environment="development",
        database_url=url,
        secret_key="bench " * 8,
        storage_path=folder / "storage",
        mail_path=folder / "mail",
    )
    environment = {
        "DATABASE_URL": url,
        "FASTIER_SECRET_KEY": settings.secret_key,
        "FASTIER_STORAGE_PATH": str(settings.storage_path),
        "FASTIER_RATE_LIMIT": "10000000",
        "LOG_LEVEL": "INFO",
    }
    found: dict[str, Any] = {
        "about": about(cluster, f"python -m bench --seconds {seconds}", PLACEMENT),
        "sizes": {},
        "beside": {},
        "cpu": {},
    }
    fastier = [sys.executable, "-m", "gunicorn", "application:application"]
    tutorial = [sys.executable, "-m", "gunicorn", "--bind=127.0.0.1:{port}", "--config=/dev/null", "bench.tutorial:app"]
    with (
        serving(fastier, environment, "/health/ready") as (ours, pid, ready),
        serving(tutorial, environment, "/") as (theirs, _, _),
    ):
        found["gunicorn_ready_seconds"] = round(ready, 2)
        middle = places[sizes[min(1, len(sizes) - 1)]]
        for kind in KINDS:
            ways: dict[str, Way] = {
                f"{kind} {size}": partial(wrk, ours, places[size], kind, connections=1, seconds=seconds)
                for size in sizes
            }
            found["sizes"] |= _rounds(ways)
            sent = statements_of(settings, middle, kind)
            ways = {
                f"{kind} fastier": partial(wrk, ours, middle, kind, connections=8, seconds=seconds),
                f"{kind} tutorial": partial(wrk, theirs, middle, kind, connections=8, seconds=seconds),
                f"{kind} pgbench": partial(pgbench, cluster, plain, sent, folder, clients=8, seconds=seconds),
            }
            found["beside"] |= _rounds(ways)
            found["cpu"][kind] = _processor_time(pid, postmaster(cluster), ways[f"{kind} fastier"])
    return found


def _rounds(ways: dict[str, Way]) -> dict[str, dict[str, float]]:
    """Each way in turn, round after round, so that a slow moment of the machine meets all alike; the medians."""
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for number in range(ROUNDS + 1):
        for name, way in ways.items():
            figures = way()
            if figures.failed:
                raise SystemExit(f"{figures.failed} of {figures.requests} requests failed; the figures mean nothing")
            # The first round only warms up.
            if number:
                taken[name].append(asdict(figures))
    return {
        name: {field: round(median(each[field] for each in rounds), 2) for field in rounds[0]}
        for name, rounds in taken.items()
    }


def _processor_time(server: int, postmaster: int, way: Way) -> dict[str, float]:
    """Milliseconds of processor time that a request takes, in the server and in PostgreSQL."""
    before = cpu_seconds(server), cpu_seconds(postmaster)
    requests = way().requests
    return {
        "python_ms": round((cpu_seconds(server) - before[0]) / requests * 1000, 2),
        "postgresql_ms": round((cpu_seconds(postmaster) - before[1]) / requests * 1000, 2),
    }


def _table(results: dict[str, Any]) -> str:
    about, beside = results["about"], results["beside"]
    lines = [
        f"Measured on {about['date']} by `{about['command']}` at {about['commit']}: {about['cores']} cores of "
        f"{about['machine']}, Python {about['python']}, PostgreSQL {about['postgresql']}, "
        f"gunicorn {about['gunicorn']}, Flask {about['flask']}, SQLAlchemy {about['sqlalchemy']}; "
        f"{about['placement']}. Medians of {ROUNDS} interleaved rounds.",
        "",
        "One request after another, by the number of items in the workspace:",
        "",
        "| | items | p50 | p95 | p95 against the smallest |",
        "|---|---:|---:|---:|---:|",
    ]
    for kind in KINDS:
        rows = [(name.split()[1], each) for name, each in results["sizes"].items() if name.startswith(kind)]
        for size, each in rows:
            ratio = each["p95_ms"] / rows[0][1]["p95_ms"]
            name = "page of 50 with tags" if kind == "page" else "create with tags"
            lines.append(
                f"| {name} | {int(size):,} | {each['p50_ms']:.1f} ms | {each['p95_ms']:.1f} ms | {ratio:.2f} × |"
            )
    lines += [
        "",
        "Eight connections at once, the same work done three ways:",
        "",
        "| | Fastier | as tutorials write it | Fastier is | the same SQL from pgbench | Fastier has |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for kind in KINDS:
        ours, theirs, bare = (beside[f"{kind} {name}"]["per_second"] for name in ("fastier", "tutorial", "pgbench"))
        lines.append(
            f"| {kind} | {ours:,.0f}/s | {theirs:,.0f}/s | {ours / theirs:.1f} × | {bare:,.0f}/s | {ours / bare:.0%} |"
        )
    spent = [
        f"a {kind} takes {each['python_ms']:.1f} ms of processor time in Python and "
        f"{each['postgresql_ms']:.1f} ms in PostgreSQL"
        for kind, each in results["cpu"].items()
    ]
    lines += [
        "",
        f"Where the time goes, on the shared cores: {'; '.join(spent)}. pgbench has only the latter to pay for.",
    ]
    lines += ["", f"gunicorn alone is ready {results['gunicorn_ready_seconds']} s after its start."]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
