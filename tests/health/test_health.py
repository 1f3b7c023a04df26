"""The health addresses tell the truth, soon, to anyone."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import Client

from fastier.health import CheckError, Checks, Readiness, blueprint
from fastier.settings import Settings
from fastier.web import problems
from fastier.web.admission import Admission
from fastier.web.middleware import wrap
from fastier.web.sizing import Sizing

SETTINGS = Settings("development", "", "", version="1.2.3", commit="abc1234")


class Dependency:
    """Something to depend on that a test can break, and that counts how often it is asked."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked = 0

    def __call__(self) -> None:
        self.asked += 1
        if self.error is not None:
            raise self.error


class World:
    """The health addresses over dependencies that can be broken."""

    def __init__(self) -> None:
        self.dependencies = {name: Dependency() for name in ("database", "schema", "storage", "jobs")}
        self.readiness = Readiness()

    def client(self, **more: Callable[[], object]) -> Client:
        app = Flask(__name__)
        app.url_map.merge_slashes = False
        problems.install(app)
        checks = Checks({**self.dependencies, **more}, limit=0.3)
        app.register_blueprint(blueprint(SETTINGS, self.readiness, checks))
        admission = Admission(Sizing(1, 4, 0, 0))
        is_ready = self.readiness.is_set
        return Client(wrap(app.wsgi_app, settings=SETTINGS, admission=admission, is_ready=is_ready))


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def stuck() -> Iterator[Callable[[], object]]:
    """A check that does not come back while the test runs."""
    release = threading.Event()
    yield lambda: release.wait(30)
    release.set()


def get_json(client: Client, path: str, status: int) -> Any:
    response = client.get(path, buffered=True)
    assert response.status_code == status
    return response.get_json()


def test_live_needs_nothing_that_works(world: World) -> None:
    for dependency in world.dependencies.values():
        dependency.error = OSError("down")
    response = world.client().get("/health/live", headers={"Host": "anything.example:81"})
    assert (response.status_code, response.get_json()) == (200, {"status": "live"})
    assert [dependency.asked for dependency in world.dependencies.values()] == [0, 0, 0, 0]


def test_ready_waits_for_database_schema_and_storage_and_says_what_is_missing(world: World) -> None:
    world.dependencies["schema"].error = CheckError("the schema is older than this code")
    world.dependencies["storage"].error = OSError("secret-host.internal refused")
    problem = get_json(world.client(), "/health/ready", 503)
    assert problem["code"] == "not_ready"
    assert "schema: the schema is older than this code; storage: OSError" in problem["detail"]
    assert "secret-host" not in str(problem)


def test_ready_is_set_once_and_survives_a_later_outage(world: World) -> None:
    world.dependencies["jobs"].error = OSError("the job runner may come later")
    assert get_json(world.client(), "/health/ready", 200) == {"status": "ready"}
    world.dependencies["database"].error = OSError("down")
    assert get_json(world.client(), "/health/ready", 200) == {"status": "ready"}
    assert world.dependencies["database"].asked == 1


def test_dependencies_are_listed_with_their_latency(world: World) -> None:
    body = get_json(world.client(), "/health/dependencies", 200)
    assert (body["status"], list(body["checks"])) == ("ok", ["database", "schema", "storage", "jobs"])
    assert all(check["status"] == "ok" and check["latency_ms"] >= 0 for check in body["checks"].values())


def test_one_failed_dependency_makes_it_503_and_only_that_one_is_blamed(world: World) -> None:
    world.dependencies["storage"].error = OSError("down")
    body = get_json(world.client(), "/health/dependencies", 503)
    assert body["status"] == "failed"
    assert {name: check["status"] for name, check in body["checks"].items()} == {
        "database": "ok",
        "schema": "ok",
        "storage": "failed",
        "jobs": "ok",
    }


def test_findings_are_passed_on_for_a_while(world: World) -> None:
    client = world.client()
    for _ in range(5):
        get_json(client, "/health/dependencies", 200)
    assert [dependency.asked for dependency in world.dependencies.values()] == [1, 1, 1, 1]


def test_a_hung_dependency_is_reported_in_time_and_asked_only_once(world: World, stuck: Callable[[], object]) -> None:
    asked: list[None] = []

    def hang() -> None:
        asked.append(None)
        stuck()

    client, began = world.client(storage=hang), time.monotonic()
    for _ in range(4):
        body = get_json(client, "/health/dependencies", 503)
    assert time.monotonic() - began < 3
    assert body["checks"]["storage"]["status"] == "timeout"
    assert body["checks"]["database"]["status"] == "ok"
    assert len(asked) == 1


def test_a_failed_check_is_asked_anew_once_its_finding_is_old() -> None:
    dependency = Dependency()
    dependency.error = OSError("down")
    checks = Checks({"database": dependency})
    assert not checks.findings(max_age=0)["database"].is_ok
    dependency.error = None
    assert not checks.findings(max_age=60)["database"].is_ok
    assert checks.findings(max_age=0)["database"].is_ok


def test_version_names_version_and_commit(world: World) -> None:
    assert get_json(world.client(), "/version", 200) == {"version": "1.2.3", "commit": "abc1234"}


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/health/dependencies", "/version"])
def test_only_get_and_head_are_taken_and_nothing_redirects(world: World, path: str) -> None:
    client = world.client()
    head = client.head(path)
    assert (head.status_code, head.data) == (200, b"")
    head.close()
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        response = client.open(path, method=method, buffered=True)
        assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")
    for other in (f"{path}/", f"{path}/x", f"/{path}", path.upper()):
        assert client.get(other, buffered=True).status_code == 404
