"""Sends whoever came by plain HTTP to the encrypted address, where the load balancer has a certificate."""

from collections.abc import Iterable
from urllib.parse import quote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from fastier.web.request_log import HEALTH


class RequireHttps:
    """WSGI middleware for a public address that begins with https; probes are answered whichever way they come."""

    def __init__(self, app: WSGIApplication, public_url: str) -> None:
        self.app = app
        self.public_url = public_url

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # nginx passes on what the load balancer says. Without the header nobody came through one, such as a hook.
        is_plain = environ.get("HTTP_X_FORWARDED_PROTO") == "http"
        if not is_plain or environ.get("PATH_INFO", "").startswith(HEALTH):
            return self.app(environ, start_response)
        # The public address and not the Host header: that one is the client's to choose.
        location = self.public_url + quote(environ.get("PATH_INFO", "").encode("latin-1"))
        if query := environ.get("QUERY_STRING"):
            location += f"?{query}"
        # 308 keeps the method and the body, so that a program that follows it does what it meant to.
        start_response("308 Permanent Redirect", [("Location", location), ("Content-Length", "0")])
        return []
