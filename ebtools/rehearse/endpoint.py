"""Starts one of Amazon's services at an address of the rehearsal, and breaks and mends it."""

import json
import os
import secrets
import selectors
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import boto3
from botocore.config import Config

from ebtools.local.children import end_with_parent
from ebtools.local.errors import LocalError
from ebtools.rehearse.server import Site

ROOT = Path(__file__).parents[2]
REGION = "eu-central-1"
START_SECONDS = 60
CHANGE_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Keys:
    """Who may ask the services of one rehearsal."""

    access_key: str = "AKIAREHEARSALREHEARS"
    secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(30), repr=False)

    @property
    def environ(self) -> dict[str, str]:
        """boto3's own variables; instances have no other credentials here, and no metadata service to ask."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def session(self) -> boto3.Session:
        return boto3.Session(self.access_key, self.secret_key, region_name=REGION)


# Tries once and waits no longer than this, so that a fault is seen as it is.
ONE_TRY = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 1})


class Endpoint:
    """A service in a process of its own, which keeps what it stores in memory until it is stopped.

    One fault holds at a time: each takes the place of the one before, and all return when they hold.
    """

    def __init__(self, service: str, keys: Keys) -> None:
        self.keys = keys
        self._service = service
        self._url = ""
        self._process: subprocess.Popen[str] | None = None
        self._log: Path | None = None

    @property
    def url(self) -> str:
        """Has the address in it and no name: a name before S3's would be taken for that of a bucket."""
        if not self._url:
            raise LocalError(f"{self._service} was not started.")
        return self._url

    def start(self, site: Site, port: int, log: Path) -> None:
        """Listen there, at a free port when it is 0; LocalError with its last words when it does not.

        As with every server here, it ends with the thread that started it.
        """
        arguments = [sys.executable, "-m", "ebtools.rehearse.endpoint_process", self._service, site.address, str(port)]
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                site.prefix(arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                cwd=ROOT,
                env={"PATH": os.environ.get("PATH", os.defpath), **self.keys.environ},
                start_new_session=True,
                preexec_fn=end_with_parent(signal.SIGTERM),
            )
        try:
            self._url = self._line(START_SECONDS)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it, and with it all that it stored."""
        process, self._process, self._url = self._process, None, ""
        if process is not None:
            # Requests under way are not waited for.
            with process:
                process.kill()

    def slow(self, seconds: float) -> None:
        """Let every request wait that long before anything is done for it."""
        self._change(slow=seconds)

    def refuse(self) -> None:
        """Refuse connections; requests that are under way are still answered."""
        self._change(refuse=True)

    def fail(self, status: int = 503) -> None:
        """Answer every request with that status; 503 is how S3 says that it has too much to do."""
        self._change(fail=status)

    def mend(self) -> None:
        """Be well again; what waited for a slow answer gets it at once."""
        self._change()

    def _change(self, **fault: float) -> None:
        if self._process is None or self._process.stdin is None:
            raise LocalError(f"{self._service} does not run.")
        self._process.stdin.write(json.dumps(fault) + "\n")
        self._process.stdin.flush()
        self._line(CHANGE_SECONDS)

    def _line(self, seconds: float) -> str:
        """What it says next; LocalError when it ends or says nothing for that long."""
        assert self._process is not None
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            line = self._process.stdout.readline() if selector.select(seconds) else ""
        if not line:
            raise LocalError(f"{self._service} does not answer: {self._last_words()}")
        return line.strip()

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").split("\n") if self._log else []
        return " / ".join([line for line in lines if line.strip()][-2:]) or "it said nothing"
