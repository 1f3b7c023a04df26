"""What nginx makes of the package's configuration, laid over the platform's own."""

import gzip
import re
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fastier.web.codes import CODES
from tests.package.conftest import OWN, PATIENCE_SECONDS, Proxy, nginx

MOST_AT_ONCE = int(re.findall(r"max_conns=(\d+)", (OWN / "conf.d" / "fastier.conf").read_text())[0])


def judged(conf: Path) -> "subprocess.CompletedProcess[str]":
    command = [nginx(), "-t", "-p", str(conf.parent), "-c", str(conf)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def test_nginx_takes_the_assembled_configuration_without_a_warning(assembled: Callable[..., Path]) -> None:
    done = judged(assembled())
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr


def test_a_directive_that_the_platform_has_already_is_refused(assembled: Callable[..., Path]) -> None:
    conf = assembled()
    (conf.parent / "conf.d" / "elasticbeanstalk" / "more.conf").write_text("keepalive_timeout 75s;\n")
    done = judged(conf)
    assert done.returncode != 0
    assert "duplicate" in done.stderr


def test_the_moment_of_arrival_is_nginxs_and_not_the_clients(started: Proxy) -> None:
    answer = started.ask("GET", "/", headers={"X-Request-Start": "t=1.0"})
    found = re.fullmatch(r"t=(\d+\.\d{3})", str(answer.json()["x-request-start"]))
    assert found
    assert abs(float(found[1]) - time.time()) < 60


def test_the_application_learns_who_asks_and_how(started: Proxy) -> None:
    # The first address is what the client claims, the second what the load balancer saw.
    given = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9", "X-Forwarded-Proto": "https", "Host": "example.org"}
    received = started.ask("GET", "/", headers=given).json()
    assert received["x-real-ip"] == "203.0.113.9"
    # With two trusted hops the application takes the last but one.
    assert str(received["x-forwarded-for"]).split(", ")[-2] == "203.0.113.9"
    assert received["x-forwarded-proto"] == "https"
    assert received["host"] == "example.org"
    assert "connection" not in received


def test_connections_to_the_application_are_reused(started: Proxy) -> None:
    for _ in range(20):
        assert started.ask("GET", "/").status == 200
    # Each of nginx's processes keeps its own.
    assert len(started.connections) < 20


def test_a_clients_request_id_is_kept_only_in_the_form_that_the_application_takes(started: Proxy) -> None:
    assert started.ask("GET", "/", headers={"X-Request-Id": "order-4711"}).json()["x-request-id"] == "order-4711"
    odd = started.ask("GET", "/", headers={"X-Request-Id": 'a","status":200,"x":"'})
    assert re.fullmatch("[0-9a-f]{32}", str(odd.json()["x-request-id"]))


@pytest.mark.parametrize("status", [413, 429, 502, 503, 504])
def test_what_nginx_refuses_is_a_problem_document(started: Proxy, status: int) -> None:
    body = b"x" * (2 * 1024 * 1024 + 1) if status == 413 else b""
    path = {413: "/", 502: "/", 504: "/hang"}.get(status, f"/planted/{status}")
    if status == 502:
        started.kill_upstream()
    answer = started.ask("POST" if body else "GET", path, body, {"X-Request-Id": "order-4711"})
    problem = answer.json()
    assert answer.status == problem["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"] == problem["instance"] == "order-4711"
    assert problem["code"] in CODES
    assert problem["type"] == f"/api/docs#problem-{problem['code']}"
    assert problem["title"]
    assert problem["detail"]
    assert ("retry-after" in answer.headers) == (status != 413)
    assert "nginx/" not in answer.headers["server"]


def test_a_body_of_two_mebibytes_passes(started: Proxy) -> None:
    answer = started.ask("POST", "/", b"x" * (2 * 1024 * 1024))
    assert answer.status == 200
    assert answer.json()["content-length"] == str(2 * 1024 * 1024)


@pytest.mark.parametrize("status", [429, 502, 503])
def test_the_applications_own_refusals_pass_untouched(started: Proxy, status: int) -> None:
    answer = started.ask("GET", f"/status/{status}", headers={"X-Canary": "4711"})
    assert answer.status == status
    assert answer.json()["x-canary"] == "4711"


def test_a_long_answer_is_compressed_for_whoever_takes_it(started: Proxy) -> None:
    plain = started.ask("GET", "/long")
    packed = started.ask("GET", "/long", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.body) < len(plain.body) / 10
    assert gzip.decompress(packed.body) == plain.body
    assert packed.headers["vary"] == "Accept-Encoding"


def test_more_than_the_application_takes_is_refused_at_once_and_health_is_not(started: Proxy, tmp_path: Path) -> None:
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        hung = [pool.submit(started.ask, "GET", "/hang") for _ in range(MOST_AT_ONCE)]
        deadline = time.monotonic() + 10
        while started.held < MOST_AT_ONCE and time.monotonic() < deadline:
            time.sleep(0.01)
        began = time.monotonic()
        refused = started.ask("GET", "/one-more")
        # The promise is 50 ms; far less than waiting for any of the others is what a busy machine can show.
        assert time.monotonic() - began < PATIENCE_SECONDS / 2
        assert started.ask("GET", "/health/live").status == 200
        statuses = [each.result().status for each in hung]
    assert statuses == [504] * MOST_AT_ONCE
    problem = refused.json()
    assert refused.status == problem["status"] == 503
    assert problem["code"] == "overloaded"
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["x-request-id"] == problem["instance"]
    assert started.ask("GET", "/after").status == 200
    assert ["/one-more", "503"] in [line.split('"')[1:3] for line in healthd_lines(tmp_path)]
    log = tmp_path / "nginx" / "log"
    # A line for each refusal would fill the disk at the worst of times; each failure has one, with its times.
    assert "/one-more" not in (log / "access.log").read_text() + (log / "error.log").read_text()
    failures = (log / "upstream.log").read_text().splitlines()
    assert len(failures) == MOST_AT_ONCE
    assert re.search(r" 504 GET /hang upstream=127\.0\.0\.1:\d+ connect=\d", failures[0])


def test_healthd_gets_its_line_for_every_request(started: Proxy, tmp_path: Path) -> None:
    started.ask("GET", "/counted")
    started.ask("GET", "/planted/503")
    deadline = time.monotonic() + 10
    # nginx writes a line once the answer is sent, and each of its processes when it comes to it.
    while len(lines := healthd_lines(tmp_path)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert sorted(line.split('"')[1:3] for line in lines) == [["/counted", "200"], ["/planted/503", "503"]]


def healthd_lines(folder: Path) -> list[str]:
    logs = (folder / "nginx" / "log" / "healthd").iterdir()
    return [line for log in logs for line in log.read_text().splitlines()]
