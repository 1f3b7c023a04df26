"""One of Amazon's services as a process of its own, which breaks as its parent says on its standard input.

Reads a JSON object a line, such as {"slow": 2.5}, {"fail": 503}, {"refuse": true} or {} for a service that is well, and
writes a line when that holds. It ends when its input does, and so with its parent.
"""

import argparse
import json
import os
import sys
import threading
from collections.abc import Iterable
from contextlib import ExitStack
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from ebtools.s3_endpoint.gate import Gate
from ebtools.s3_endpoint.request import S3Error
from ebtools.s3_endpoint.serving import serving

SERVICES = ("s3", "secretsmanager")
# S3's own words; every other status is an internal error.
CODES = {503: "SlowDown"}


class Faults:
    """A WSGI application before another that lets requests wait, or answers them with an error."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._delay = 0.0
        self._status: int | None = None
        self._changed = threading.Event()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._delay:
            # Whoever waits goes on at once when the fault is mended.
            self._changed.wait(self._delay)
        if self._status is None:
            return self._app(environ, start_response)
        error = S3Error(self._status, CODES.get(self._status, "InternalError"), "The rehearsal wants this to fail.")
        start_response(f"{error.status} {error.code}", [("Content-Type", "application/xml")])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else error.document()]

    def change(self, delay: float, status: int | None) -> None:
        self._delay, self._status = delay, status
        self._changed.set()
        # Who waits holds the old event; who comes later shall wait by the new one.
        self._changed = threading.Event()


class Listener:
    """An application that listens, or does not and so refuses connections; always at the port that it first had."""

    def __init__(self, app: WSGIApplication, address: str, port: int) -> None:
        self._app = app
        self._address, self._port = address, port
        self._open: ExitStack | None = None

    def open(self) -> str:
        """The URL; when it listens already, nothing changes."""
        if self._open is None:
            self._open = ExitStack()
            url = self._open.enter_context(serving(self._app, self._address, self._port))
            self._port = urlsplit(url).port or self._port
        return f"http://{self._address}:{self._port}"

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


def application(service: str) -> WSGIApplication:
    """moto's; for S3 behind the gate that checks signatures, by the keys of boto3's own variables."""
    inner: WSGIApplication = DomainDispatcherApplication(create_backend_app)
    if service != "s3":
        return inner
    return Gate(inner, {os.environ["AWS_ACCESS_KEY_ID"]: os.environ["AWS_SECRET_ACCESS_KEY"]})


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("service", choices=SERVICES)
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    given = parser.parse_args(arguments)
    faults = Faults(application(given.service))
    listener = Listener(faults, given.address, given.port)
    print(listener.open(), flush=True)
    for line in sys.stdin:
        wanted = json.loads(line)
        faults.change(float(wanted.get("slow", 0)), wanted.get("fail"))
        if wanted.get("refuse"):
            listener.close()
        else:
            listener.open()
        print("done", flush=True)
    listener.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
