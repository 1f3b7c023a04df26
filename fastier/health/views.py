"""The four health addresses; none needs a sign-in, and admission answers the busiest of them before Flask."""

from collections.abc import Callable
from typing import Any

import orjson
from flask import Blueprint
from werkzeug.wrappers import Response

from fastier.errors import Unavailable
from fastier.health.checks import Checks, Finding
from fastier.health.readiness import Readiness
from fastier.settings import Settings

# What an instance must have reached once; the job runner is a process of its own.
READY_CHECKS = ("database", "schema", "storage")
# A starting instance is asked again and again, and should be ready as soon as it is.
READY_FRESH_SECONDS = 0.2


def blueprint(settings: Settings, readiness: Readiness, checks: Checks) -> Blueprint:
    """The routes; `checks` has at least those of READY_CHECKS."""
    health = Blueprint("health", __name__)

    def live() -> Response:
        return _json({"status": "live"})

    def ready() -> Response:
        if not readiness.is_set():
            findings = checks.findings(READY_CHECKS, max_age=READY_FRESH_SECONDS)
            if failed := [f"{name}: {finding.reason}" for name, finding in findings.items() if not finding.is_ok]:
                raise Unavailable(f"Not ready yet. {'; '.join(failed)}.", code="not_ready", retry_after=1)
            readiness.set()
        return _json({"status": "ready"})

    def dependencies() -> Response:
        return _report(checks.findings())

    def version() -> Response:
        return _json({"version": settings.version, "commit": settings.commit})

    views: dict[str, Callable[[], Response]] = {
        "/health/live": live,
        "/health/ready": ready,
        "/health/dependencies": dependencies,
        "/version": version,
    }
    for path, view in views.items():
        # HEAD comes with GET; without OPTIONS every other method is 405.
        health.add_url_rule(path, view_func=view, methods=["GET"], provide_automatic_options=False)
    return health


def _report(findings: dict[str, Finding]) -> Response:
    is_ok = all(finding.is_ok for finding in findings.values())
    body = {
        "status": "ok" if is_ok else "failed",
        "checks": {name: finding.body() for name, finding in findings.items()},
    }
    return _json(body, 200 if is_ok else 503)


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, mimetype="application/json")
