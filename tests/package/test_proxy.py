"""What nginx makes of the package's configuration, laid over the platform's own."""

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fastier.web.codes import CODES
from tests.package.conftest import Proxy, nginx


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
    given = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "Host": "example.org"}
    received = started.ask("GET", "/", headers=given).json()
    assert received["x-forwarded-for"] == "203.0.113.9, 127.0.0.1"
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
