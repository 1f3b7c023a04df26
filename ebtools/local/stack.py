"""Starts the parts of Fastier on one machine, watches them, and stops them in the right order."""

import http.client
import sys
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from ebtools.local import database, environment
from ebtools.local.children import Child
from ebtools.local.errors import LocalError
from ebtools.local.interrupts import Interrupts, Stopping
from ebtools.local.places import Places
from ebtools.local.postgres import Cluster

READY_SECONDS = 60
MIGRATION_SECONDS = 900
# gunicorn and the jobs finish what is under way within 25 s.
STOP_SECONDS = 30
# What an earlier stack still held may take a moment to be given back.
PORT_SECONDS = 2.5
POLL_SECONDS = 0.02
WATCH_SECONDS = 0.2


class Stack:
    """The parts that run, in the order of their start."""

    def __init__(self, places: Places, environ: Mapping[str, str], interrupts: Interrupts) -> None:
        self.places = places
        self.environ = environ
        self.interrupts = interrupts
        self.port = _port(environ)
        self.cluster: Cluster | None = None
        self.children: list[Child] = []

    def run(self) -> None:
        """Run until somebody asks for the end; LocalError when a part cannot start or ends by itself."""
        began = time.monotonic()
        try:
            self._start()
            print(self._greeting(time.monotonic() - began), flush=True)
            while True:
                self._require_alive()
                self.interrupts.sleep(WATCH_SECONDS)
        except Stopping:
            print("\nStopping; once more to stop at once.", flush=True)
        finally:
            self._stop()

    def _start(self) -> None:
        self._require_port()
        environ = environment.build(self.places, self.environ, port=self.port, database_url=self._database_url())
        if self.cluster is None:
            database.require_database(environ)
        # It loads while the database is migrated, and calls itself ready only on a schema that it can run on.
        self._spawn("web", ["-m", "gunicorn", "application:application"], environ)
        self._migrate(environ)
        self._spawn("jobs", ["-m", "fastier", "jobs"], environ)
        self._wait_until_ready()

    def _require_port(self) -> None:
        deadline = time.monotonic() + PORT_SECONDS
        while not database.is_free(self.port):
            if time.monotonic() > deadline:
                other = self.port + 1 if self.port < 65535 else 8000
                raise LocalError(f"Port {self.port} is in use; take another: make run PORT={other}")
            self.interrupts.sleep(POLL_SECONDS)

    def _database_url(self) -> str:
        if given := self.environ.get("DATABASE_URL"):
            return given
        self.cluster = database.open_cluster(self.places)
        return self.cluster.url()

    def _migrate(self, environ: Mapping[str, str]) -> None:
        child = self._spawn("migration", ["-m", "fastier", "database", "upgrade"], environ)
        deadline = time.monotonic() + MIGRATION_SECONDS
        while not child.has_ended:
            if time.monotonic() > deadline:
                raise LocalError(f"The migration has not ended within {MIGRATION_SECONDS} s.")
            self.interrupts.sleep(POLL_SECONDS)
        self.children.remove(child)
        if child.process.returncode != 0:
            raise LocalError(child.last_lines())

    def _spawn(self, name: str, arguments: list[str], environ: Mapping[str, str]) -> Child:
        command = [sys.executable, *arguments]
        child = Child(name, command, log=self.places.log(name), environ=environ, folder=self.places.root)
        self.children.append(child)
        return child

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            self._require_alive()
            if time.monotonic() > deadline:
                raise LocalError(f"It is not ready after {READY_SECONDS} s:\n{self.children[0].last_lines()}")
            self.interrupts.sleep(POLL_SECONDS)

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _require_alive(self) -> None:
        parts = [*self.children, *([self.cluster.child] if self.cluster and self.cluster.child else [])]
        for part in parts:
            if part.has_ended:
                raise LocalError(
                    f"{part.name} has ended by itself ({part.ending}); all is stopped. "
                    f"Its last lines, from {part.log}:\n{part.last_lines()}"
                )

    def _stop(self) -> None:
        """The web and the jobs first, side by side; the database last, because they use it to the end."""
        for child in self.children:
            child.ask_to_stop()
        for child in self.children:
            child.stop(STOP_SECONDS, hurry=self.interrupts.is_impatient)
        if self.cluster:
            self.cluster.stop(hurry=self.interrupts.is_impatient)

    def _greeting(self, seconds: float) -> str:
        address = f"http://127.0.0.1:{self.port}"
        return f"""
Fastier is ready at {address} after {seconds:.1f} s; its documentation: {address}/api/docs

Register; the answer holds your token, for `Authorization: Bearer …`:
  curl -X POST {address}/api/v1/auth/register -H 'Content-Type: application/json' \\
    -d '{{"email": "you@example.com", "password": "correct horse battery", "name": "You"}}'

{self._whereabouts()}
Mails are files in {self.places.mail}, logs in {self.places.home / "log"}.
Ctrl-C stops everything; what you made is there again at the next start."""

    def _whereabouts(self) -> str:
        storage = self.environ.get("FASTIER_STORAGE") or "local"
        files = f"files in {self.places.storage}" if storage.lower() == "local" else f"files in {storage}"
        if self.cluster:
            return f"The database is in {self.cluster.folder} (port {self.cluster.port}), {files}."
        return f"The database is at {urlsplit(self.environ['DATABASE_URL']).hostname or 'DATABASE_URL'}, {files}."


def _port(environ: Mapping[str, str]) -> int:
    given = environ.get("PORT") or "8000"
    if not (given.isascii() and given.isdigit() and 1 <= int(given[:6]) <= 65535):
        raise LocalError("PORT must be a whole number from 1 to 65535.")
    return int(given)
