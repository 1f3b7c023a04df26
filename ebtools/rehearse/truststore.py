"""Plays Amazon's trust store, from which instances download the certificates of the database's authorities."""

import subprocess
import sys
from pathlib import Path

from ebtools.rehearse.server import Site

NAME = "rds.pem"
PORT = 80


class TrustStore:
    """A web server with one file, at an address of its own."""

    def __init__(self, site: Site, folder: Path) -> None:
        self._site, self._folder = site, folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{self._site.address}:{PORT}/{NAME}"

    def start(self, certificate: str) -> None:
        """Serve this certificate; whoever comes before it listens is refused, and asks again."""
        (self._folder / NAME).write_text(certificate)
        server = [sys.executable, "-m", "http.server", str(PORT), "--bind", self._site.address]
        with (self._folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                self._site.prefix([*server, "--directory", str(self._folder)]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
