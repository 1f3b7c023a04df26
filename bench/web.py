"""Measures the web tier as an instance runs it: memory, overload, a killed worker and a soak, beside the defaults."""

import argparse
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

from bench import readme, web_report
from bench.arrivals import Arrivals, Outcome, Request, share
from bench.machine import about
from bench.servers import ROOT, Place, cpu_seconds, fill, postmaster, serving, start_cluster, vacuum
from ebtools.local.postgres import free_port
from ebtools.preflight import proxy
from fastier.database import Database, migrate
from fastier.web.memory import proportional_bytes

MIB = 1024 * 1024
ITEMS = 10_000
# The server's parts have one core and the load generator the other, so that offering more takes nothing from serving.
SERVER_CORE, GENERATOR_CORE = 0, 1
PLACEMENT = (
    "overload: nginx, gunicorn and PostgreSQL on one core, the load generator on the other; "
    "memory and soak: all of them share both"
)
MULTIPLES = (2, 5, 10)
PHASE_SECONDS = 6
# Around the estimate, where goodput peaks.
LADDER = (0.7, 0.8, 0.9, 1.0, 1.1)
# One request in so many creates an item; the others read a page of 50.
CREATES_EVERY = 5
SIGN_INS = 120
SOAK_REQUESTS = 500_000
WARM_UP_REQUESTS = 50_000
_DEFAULTS = ["--config=/dev/null", "--bind=127.0.0.1:{port}"]


@dataclass(frozen=True, slots=True)
class Setup:
    """A way to run the same application: gunicorn's flags, and the proxy's configuration before it."""

    name: str
    flags: tuple[str, ...]
    own_proxy: bool


SETUPS = (
    Setup("Fastier", (), own_proxy=True),
    Setup("platform's default", (*_DEFAULTS, "--workers=1", "--threads=15"), own_proxy=False),
    Setup("gunicorn's defaults", tuple(_DEFAULTS), own_proxy=False),
)


@dataclass(frozen=True, slots=True)
class Tier:
    """One setup, running: the proxy's port and the two processes at the top."""

    setup: Setup
    port: int
    gunicorn: int
    nginx: int

    def memory(self) -> float:
        """MiB that gunicorn's processes hold together, shared pages counted once."""
        return sum(proportional_bytes(Path(f"/proc/{pid}/smaps_rollup")) for pid in family(self.gunicorn)) / MIB


def main() -> int:
    options = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="fastier-bench-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        cluster = start_cluster(folder)
        try:
            url = cluster.url()
            migrate.upgrade(url)
            database = Database(url)
            place = fill(database, url.replace("+psycopg2", ""), ITEMS)
            database.close()
            vacuum(url.replace("+psycopg2", ""))
            found = {"about": about(cluster, f"python -m bench.web {' '.join(sys.argv[1:])}".strip(), PLACEMENT)}
            commits = dict.fromkeys(options.only or PARTS, found["about"]["commit"])
            for part in commits:
                found[part] = PARTS[part](url, place, folder, postmaster(cluster), options)
        finally:
            cluster.stop("immediate")
    path = ROOT / "bench" / "results" / f"web-{datetime.now(UTC):%Y-%m-%d}.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    # Parts may be measured at different times, so each keeps its commit.
    known |= found | {"commits": known.get("commits", {}) | commits}
    path.write_text(json.dumps(known, indent=2) + "\n")
    written = web_report.tables(known)
    print(written)
    if options.readme:
        readme.write("web", written)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.web", description=__doc__)
    parser.add_argument("--only", action="append", choices=tuple(PARTS), help="one part; may be given again")
    parser.add_argument("--readme", action="store_true", help="replace the tables in README.md")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the overload, of which the medians count")
    parser.add_argument("--requests", type=int, default=SOAK_REQUESTS, help="how many the soak sends")
    return parser


def memory(url: str, place: Place, folder: Path, _postmaster: int, _options: argparse.Namespace) -> dict[str, Any]:
    """The most that each setup holds under mixed load on all cores, and Fastier in a storm of sign-ins besides."""
    found: dict[str, Any] = {}
    for setup in SETUPS:
        with _tier(setup, url, folder, None) as tier:
            idle = tier.memory()
            with _sampled(tier) as samples:
                _closed_loop(tier.port, place, 20)
            found[setup.name] = {"idle_mib": round(idle, 1), "under_load_mib": round(max(samples), 1)}
            if setup.own_proxy:
                with _sampled(tier) as samples:
                    _storm(tier.port)
                found[setup.name]["sign_ins_mib"] = round(max(samples), 1)
                found[setup.name]["nginx_mib"] = round(_held(tier.nginx), 1)
                found[setup.name]["workers"] = len(family(tier.gunicorn)) - 1
    return found


def overload(url: str, place: Place, folder: Path, postmaster: int, options: argparse.Namespace) -> dict[str, Any]:
    """Goodput at multiples of each setup's own peak, side by side, and how soon it is well again."""
    os.sched_setaffinity(postmaster, {SERVER_CORE})
    os.sched_setaffinity(0, {GENERATOR_CORE})
    request = mixed(place)
    found: dict[str, Any] = {}
    with ExitStack() as opened:
        tiers = [opened.enter_context(_tier(setup, url, folder, SERVER_CORE)) for setup in SETUPS]
        peaks = {tier.setup.name: _peak(tier, request) for tier in tiers}
        for tier in tiers:
            found[tier.setup.name] = {"peak": peaks[tier.setup.name], "cost": _cost(tier, request)}
        rounds = [[(tier, _storms(tier, request, peaks[tier.setup.name])) for tier in tiers]
                  for _ in range(options.rounds)]  # fmt: skip
        for tier in tiers:
            taken = [figures for each in rounds for other, figures in each if other is tier]
            found[tier.setup.name] |= {key: _median(taken, key) for key in taken[0]}
        found["Fastier"]["killed_worker"] = _kill_one(tiers[0], request, peaks["Fastier"]["goodput"] / 2)
    os.sched_setaffinity(0, {SERVER_CORE, GENERATOR_CORE})
    return found


def soak(url: str, place: Place, folder: Path, _postmaster: int, options: argparse.Namespace) -> dict[str, Any]:
    """Memory, open files and database connections over half a million requests."""
    with _tier(SETUPS[0], url, folder, None) as tier:
        samples: list[tuple[int, float, int]] = []
        sent = failed = 0
        began = time.perf_counter()
        while sent < options.requests:
            figures = _closed_loop(tier.port, place, 10, script="mixed.lua")
            sent, failed = sent + figures["requests"], failed + figures["failed"]
            samples.append((sent, tier.memory(), sum(_open_files(pid) for pid in family(tier.gunicorn))))
        kept = [each for each in samples if each[0] >= WARM_UP_REQUESTS]
        slope, _ = linear_regression([each[0] / 100_000 for each in kept], [each[1] for each in kept])
        return {
            "requests": sent,
            "failed": failed,
            "minutes": round((time.perf_counter() - began) / 60, 1),
            "mib_after_warm_up": round(kept[0][1], 1),
            "mib_at_the_end": round(kept[-1][1], 1),
            "mib_per_100000": round(slope, 3),
            "open_files_first_and_last": [kept[0][2], kept[-1][2]],
        }


PARTS = {"memory": memory, "overload": overload, "soak": soak}


def mixed(place: Place) -> Request:
    """Pages of 50 and, one in five, a new item with two tags."""
    head = f"Host: bench\r\nAuthorization: Bearer {place.token}\r\n"
    path = f"/api/v1/lists/{place.inbox}/items"
    page = f"GET {path}?limit=50 HTTP/1.1\r\n{head}\r\n".encode()

    def request(number: int) -> bytes:
        if number % CREATES_EVERY:
            return page
        body = json.dumps({"title": f"offered {number}", "tags": ["tag-1", "tag-2"]})
        sized = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        return f"POST {path} HTTP/1.1\r\n{head}{sized}".encode()

    return request


@contextmanager
def _tier(setup: Setup, url: str, folder: Path, core: int | None) -> Iterator[Tier]:
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    environment = {
        "DATABASE_URL": url,
        "FASTIER_SECRET_KEY": "bench " * 8,
        "FASTIER_STORAGE_PATH": str(folder / "storage"),
        "FASTIER_MAIL_PATH": str(folder / "mail"),
        "FASTIER_RATE_LIMIT": "10000000",
        "FASTIER_TRUSTED_HOPS": "1",
    }
    command = [*pinned, sys.executable, "-m", "gunicorn", *setup.flags, "application:application"]
    with serving(command, environment, "/health/ready") as (upstream, gunicorn, _):
        port = free_port()
        own = ROOT / ".platform" / "nginx" if setup.own_proxy else folder / "nothing"
        conf = proxy.assemble(own, folder / f"nginx-{port}", port=port, upstream_port=upstream)
        program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or "nginx"
        process = subprocess.Popen([*pinned, program, "-p", str(conf.parent), "-c", str(conf), "-g", "daemon off;"])
        try:
            time.sleep(0.5)
            yield Tier(setup, port, gunicorn, process.pid)
        finally:
            process.terminate()
            process.wait(20)


def _peak(tier: Tier, request: Request) -> dict[str, float]:
    """The best goodput of a ladder of rates around an estimate; the times are those of the calmest."""
    estimate = _estimate(tier.port, request)
    tried = [_offer(tier, request, estimate * part) for part in LADDER]
    best = max(tried, key=lambda each: each.goodput)
    calm = tried[0]
    return {
        "goodput": round(best.goodput, 1),
        "offered": round(best.rate, 1),
        "p50_ms": _ms(calm.good, 0.5),
        "p99_ms": _ms(calm.good, 0.99),
        "calm_rate": round(calm.rate, 1),
    }


def _cost(tier: Tier, request: Request) -> dict[str, float]:
    """Milliseconds of processor time that a request takes at a calm rate; PostgreSQL's own work would hide its part."""
    spenders = {"gunicorn_ms": tier.gunicorn, "nginx_ms": tier.nginx}
    before = {name: cpu_seconds(pid) for name, pid in spenders.items()}
    answered = len(_offer(tier, request, 50).good)
    return {name: round((cpu_seconds(pid) - before[name]) / answered * 1000, 2) for name, pid in spenders.items()}


def _estimate(port: int, request: Request) -> float:
    """Requests a second of eight clients that wait for their answers."""
    raw = request(1).decode().split("\r\n")
    path, headers = raw[0].split()[1], dict(line.split(": ", 1) for line in raw[1:] if ": " in line)

    def ask(count: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for _ in range(count):
            connection.request("GET", path, headers=headers)
            connection.getresponse().read()
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, [20] * 8))
        began = time.perf_counter()
        list(pool.map(ask, [60] * 8))
        return 480 / (time.perf_counter() - began)


def _offer(tier: Tier, request: Request, rate: float) -> Outcome:
    return Arrivals(tier.port, request, rate, PHASE_SECONDS).run()


def _storms(tier: Tier, request: Request, peak: dict[str, float]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for multiple in MULTIPLES:
        outcome = _offer(tier, request, peak["goodput"] * multiple)
        figures[f"{multiple}x"] = {
            "goodput": round(outcome.goodput, 1),
            "of_peak": round(outcome.goodput / peak["goodput"], 3),
            "p99_ms": _ms(outcome.good, 0.99),
            "refused": len(outcome.refused),
            "refused_p99_ms": _ms(outcome.refused, 0.99),
            "too_late": outcome.late,
            "failed": sum(outcome.failed.values()),
        }
    # At half its peak, from the moment at which the storm ends: until when is not every request answered well?
    after = _offer(tier, request, peak["goodput"] / 2)
    figures["recovery"] = {"seconds": round(max(after.bad_due, default=0.0), 2)}
    return figures


def _median(taken: list[dict[str, Any]], key: str) -> dict[str, float]:
    return {field: round(median(each[key][field] for each in taken), 3) for field in taken[0][key]}


def _kill_one(tier: Tier, request: Request, rate: float) -> dict[str, Any]:
    """What a kill -9 of one of two workers costs at half the peak."""
    victim = family(tier.gunicorn)[1]
    timer = threading.Timer(PHASE_SECONDS / 2, os.kill, (victim, signal.SIGKILL))
    timer.start()
    outcome = _offer(tier, request, rate)
    timer.join()
    return {"offered": outcome.offered, "good": len(outcome.good), "refused": len(outcome.refused),
            "failed": outcome.failed, "too_late": outcome.late}  # fmt: skip


def _storm(port: int) -> None:
    """So many people sign in at once with a wrong password, each from an account of their own."""

    def sign_in(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        body = json.dumps({"email": f"nobody-{number}@example.com", "password": "long enough to be hashed"})
        connection.request("POST", "/api/v1/auth/login", body, {"Content-Type": "application/json"})
        connection.getresponse().read()
        connection.close()

    threads = [threading.Thread(target=sign_in, args=(number,)) for number in range(SIGN_INS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _closed_loop(port: int, place: Place, seconds: int, script: str = "mixed.lua") -> dict[str, int]:
    program = shutil.which("wrk")
    if program is None:
        raise SystemExit("wrk is missing; install it: apt-get install wrk")
    environment = {**os.environ, "BENCH_TOKEN": place.token, "BENCH_INBOX": place.inbox}
    command = [program, "-t1", "-c16", f"-d{seconds}s", "-s", str(ROOT / "bench" / script), f"http://127.0.0.1:{port}"]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds + 60, check=True)
    figures: dict[str, int] = json.loads(told.stdout.split("FIGURES ")[1])
    return figures


@contextmanager
def _sampled(tier: Tier) -> Iterator[list[float]]:
    """Samples of the tier's memory, twice a second for as long as the block lasts."""
    samples = [tier.memory()]
    over = threading.Event()

    def sample() -> None:
        while not over.wait(0.5):
            samples.append(tier.memory())

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


def family(pid: int) -> list[int]:
    """A process and its children."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(int(child) for child in children)]


def _held(pid: int) -> float:
    return sum(proportional_bytes(Path(f"/proc/{each}/smaps_rollup")) for each in family(pid)) / MIB


def _open_files(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def _ms(values: list[float], part: float) -> float:
    return round(share(values, part) * 1000, 1)


if __name__ == "__main__":
    sys.exit(main())
