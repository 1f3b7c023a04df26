"""A small application behind the real middleware, whose requests last as long as a test wants them to."""

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

from fastier import log
from fastier.health import Readiness
from fastier.settings import Settings
from fastier.web import sizing
from fastier.web.admission import Admission
from fastier.web.middleware import wrap

settings = Settings.from_environ(os.environ)
log.configure(settings)
folder = Path(os.environ["HELD_FOLDER"])
readiness = Readiness()
kept: list[bytes] = []


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path.startswith(("/hold/", "/storage/")):
        hold(path.rpartition("/")[2])
    if path == "/grow":
        kept.append(b"x" * 200 * sizing.MIB)
    if path == "/raise":
        raise RuntimeError("planted")
    if path == "/become-ready":
        readiness.set()
    is_unready = path == "/health/ready"
    start_response("503 Service Unavailable" if is_unready else "200 OK", [("X-Process", str(os.getpid()))])
    return endless() if path == "/endless" else [b"hello"]


def hold(name: str) -> None:
    """Say that this request is under way, and keep it so until the test lets go."""
    (folder / f"{name}.held").write_text(str(os.getpid()))
    deadline = time.monotonic() + 30
    while not (folder / "release").exists() and time.monotonic() < deadline:
        time.sleep(0.01)


def endless() -> Iterator[bytes]:
    for _ in range(10_000):
        yield b"x" * 65536


application = wrap(
    app,
    settings=settings,
    admission=Admission(sizing.for_this_machine(settings)),
    is_ready=readiness.is_set,
)
