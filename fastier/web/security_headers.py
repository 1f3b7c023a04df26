"""Puts the security headers on every response, refusals and errors included."""

from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# The API answers with data: nothing in it may run, load, be framed or be submitted. The page and the
# documentation set their own policy, which is kept.
DEFAULTS = {
    "Content-Security-Policy": ("default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    # Answers belong to one user; what may be kept says so itself.
    "Cache-Control": "no-store",
}
# One year. Only in production: a browser would refuse plain http://localhost for as long.
STRICT_TRANSPORT_SECURITY = "max-age=31536000; includeSubDomains"


class SecurityHeaders:
    """WSGI middleware; a value that the application set itself is kept."""

    def __init__(self, app: WSGIApplication, *, production: bool) -> None:
        self.app = app
        headers = DEFAULTS | ({"Strict-Transport-Security": STRICT_TRANSPORT_SECURITY} if production else {})
        self.defaults = [(name.lower(), (name, value)) for name, value in headers.items()]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Callable[[bytes], object]:
            return start_response(status, self.complete(headers), *exc_info)

        return self.app(environ, start)

    def complete(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """These headers, followed by the defaults that they lack."""
        present = {name.lower() for name, _ in headers}
        return [*headers, *(header for name, header in self.defaults if name not in present)]
