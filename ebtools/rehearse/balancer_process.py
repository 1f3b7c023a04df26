"""Runs HAProxy with a configuration, and ends it."""

import resource
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from ebtools.local.children import end_with_parent
from ebtools.rehearse.balancer_config import BalancerError, Thresholds, configuration
from ebtools.rehearse.balancer_control import Control
from ebtools.rehearse.balancer_log import AccessLog

_START_SECONDS = 10.0
_STOP_SECONDS = 10.0
_POLL = 0.02


class Proxy:
    """One HAProxy; `folder` keeps its configuration and its messages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = AccessLog()
        # A socket's path may have 107 bytes, of which the folder may already need most.
        self._sockets = Path(tempfile.gettempdir()) / f"lb-{secrets.token_hex(6)}"
        self.control = Control(self._sockets / "control")
        self._process: subprocess.Popen[bytes] | None = None

    def pids(self) -> list[int]:
        """The process, while it runs."""
        return [self._process.pid] if self._process else []

    def start(self, address: str, port: int, thresholds: Thresholds) -> None:
        """Return once it listens; raises BalancerError with HAProxy's own words when it cannot."""
        try:
            if shutil.which("haproxy") is None:
                raise BalancerError("the rehearsal needs HAProxy: apt-get install haproxy")
            self._sockets.mkdir(mode=0o700)
            self._run(self._write(address, port, thresholds))
            self._wait_for_answer()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it at once, with what is under way; a second time it does nothing."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(_STOP_SECONDS)
            self.log.join(_STOP_SECONDS)
        shutil.rmtree(self._sockets, ignore_errors=True)

    def _write(self, address: str, port: int, thresholds: Thresholds) -> Path:
        """The configuration's file, which HAProxy has read without a complaint."""
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        path = self.folder / "haproxy.cfg"
        text = configuration(thresholds, address=address, port=port, control=self.control.path, descriptors=descriptors)
        path.write_text(text, encoding="utf-8")
        tried = subprocess.run(["haproxy", "-c", "-f", path], capture_output=True, text=True, timeout=30, check=False)
        if tried.returncode:
            raise BalancerError(f"HAProxy refuses the configuration:\n{_complaints(tried.stderr)}")
        return path

    def _run(self, path: Path) -> None:
        with (self.folder / "haproxy.log").open("wb") as messages:
            self._process = subprocess.Popen(
                ["haproxy", "-db", "-f", path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=messages,
                start_new_session=True,
                preexec_fn=end_with_parent(signal.SIGTERM),
            )
        assert self._process.stdout is not None
        self.log.follow(self._process.stdout)

    def _wait_for_answer(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.control.ask("show info")
                return
            except OSError:
                if self._has_ended() or time.monotonic() > deadline:
                    words = (self.folder / "haproxy.log").read_text(errors="replace")
                    raise BalancerError(f"HAProxy did not start:\n{_complaints(words)}") from None
            time.sleep(_POLL)

    def _has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None


def _complaints(text: str) -> str:
    """What HAProxy printed, without what it prints in any case."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("[NOTICE]"))
