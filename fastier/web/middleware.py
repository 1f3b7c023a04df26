"""Assembles what stands around Flask, the outermost first: security headers, request log, HTTPS, admission."""

from collections.abc import Callable
from wsgiref.types import WSGIApplication

from fastier.settings import Settings
from fastier.web import refusals
from fastier.web.admission import Admission, Gate
from fastier.web.https import RequireHttps
from fastier.web.request_log import RequestLog
from fastier.web.security_headers import SecurityHeaders


def wrap(
    app: WSGIApplication, *, settings: Settings, admission: Admission, is_ready: Callable[[], bool]
) -> SecurityHeaders:
    """The WSGI application that gunicorn serves; `app` is Flask's `wsgi_app`."""
    gate: WSGIApplication = Gate(app, admission, is_ready)
    if settings.public_url.startswith("https://") and settings.trusted_hops:
        gate = RequireHttps(gate, settings.public_url)
    logged = RequestLog(gate, trusted_hops=settings.trusted_hops, fail=refusals.fail)
    return SecurityHeaders(logged, production=settings.is_production)
