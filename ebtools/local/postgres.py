"""Runs one PostgreSQL cluster as our own child: the database of `make run` and of the tests."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from ebtools.local.account import Account
from ebtools.local.binaries import Programs, locale_arguments
from ebtools.local.children import Child
from ebtools.local.errors import LocalError

USER = "fastier"
DATABASE = "fastier"
START_SECONDS = 60
STOP_SECONDS = 60
Mode = Literal["smart", "fast", "immediate"]
# What a command is run through, such as a network of its own; it must exec, so that the process stays our child.
Prefix = Callable[[Sequence[str]], list[str]]
_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class Cluster:
    """A data folder and the server on it, at one address with a password and without a socket file."""

    def __init__(
        self,
        programs: Programs,
        folder: Path,
        *,
        password: str,
        port: int | None = None,
        address: str = "127.0.0.1",
        prefix: Prefix | None = None,
        account: Account | None = None,
        locale: str = "C.UTF-8",
        log: Path | None = None,
        settings: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.programs = programs
        self.folder = folder.absolute()
        self.port = port or free_port()
        self.address = address
        self.child: Child | None = None
        self._password = password
        self._prefix = prefix
        self._account = account
        self._locale = locale
        self._log = log or self.folder.with_name(f"{self.folder.name}.log")
        self._settings = {"timezone": "UTC", "log_timezone": "UTC", "lc_messages": "C", **(settings or {})}
        # Our own environment could hold PGDATA and the like, so none of it is passed on.
        self._environ = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", **(environ or {})}

    @property
    def exists(self) -> bool:
        return all((self.folder / name).exists() for name in ("PG_VERSION", "global/pg_control"))

    @property
    def version(self) -> int:
        """The major version that the data folder was made by."""
        return int((self.folder / "PG_VERSION").read_text().split(".")[0])

    def url(self, database: str = DATABASE) -> str:
        return f"postgresql+psycopg2://{USER}:{self._password}@{self.address}:{self.port}/{database}"

    def create(self) -> None:
        """Make the data folder and an empty database; whole or not at all, because it is renamed at the end."""
        staging = self.folder.with_name(f"{self.folder.name}.unfinished")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True, mode=0o700)
        self._give_away(staging)
        self._initdb(staging / "data", self._password_file(staging))
        self._execute_alone(staging / "data", f"CREATE DATABASE {DATABASE}")
        (staging / "data").rename(self.folder)
        shutil.rmtree(staging, ignore_errors=True)

    def set_password(self) -> None:
        """Make our password the right one, of a cluster that does not run."""
        self._end_predecessor()
        self._execute_alone(self.folder, f"ALTER ROLE {USER} PASSWORD '{self._password}'")

    def start(self) -> None:
        """Start the server and wait until it takes connections; LocalError with its last words when it ends."""
        self._end_predecessor()
        self.child = Child(
            "postgres",
            self._command(),
            log=self._log,
            environ=self._environ,
            folder=Path("/"),
            # Entering a network needs our rights, so what is run through a prefix drops them behind it.
            account=None if self._prefix else self._account,
            stop_signal=signal.SIGINT,
        )
        if not _wait(lambda: self._is_ready() or self._has_ended(), START_SECONDS) or self._has_ended():
            words = self.child.last_lines(3)
            self.stop("immediate")
            raise LocalError(f"PostgreSQL did not start on {self.folder}:\n{words}")

    def stop(self, mode: Mode = "fast", *, hurry: Callable[[], bool] = lambda: False) -> None:
        """Stop the server if it runs; "fast" ends sessions, "immediate" is a crash that it recovers from."""
        if self.child is None:
            return
        self.child.stop_signal = _SIGNALS[mode]
        self.child.stop(STOP_SECONDS, hurry=hurry)
        self.child = None

    def restart(self, mode: Mode = "fast") -> None:
        self.stop(mode)
        self.start()

    def _command(self) -> list[str]:
        settings = {"listen_addresses": self.address, "port": str(self.port), "unix_socket_directories": ""}
        arguments = [f"-c{name}={value}" for name, value in (settings | self._settings).items()]
        return self.placed([self.programs / "postgres", "-D", str(self.folder), *arguments])

    def placed(self, command: Sequence[str]) -> list[str]:
        """The command in the server's network, as its account; without a prefix `Child` sees to the account."""
        if self._prefix is None:
            return list(command)
        return self._prefix(self._account.argv(command) if self._account else command)

    def _has_ended(self) -> bool:
        return self.child is not None and self.child.has_ended

    def _is_ready(self) -> bool:
        """PostgreSQL says so in the last line of its pid file, as pg_ctl reads it; "standby" can be read from."""
        lines = self._pid_file()
        if self.child is None or lines[:1] != [str(self.child.process.pid)]:
            return False
        return lines[-1].strip() in ("ready", "standby")

    def _pid_file(self) -> list[str]:
        try:
            return (self.folder / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _end_predecessor(self) -> None:
        """A server that outlived its supervisor is ended; a pid file without a server is removed."""
        lines = self._pid_file()
        # Without /proc we cannot tell whose process it is; PostgreSQL then decides by itself.
        if not lines or not Path("/proc/self").exists():
            return
        pid = int(lines[0]) if lines[0].isdigit() else 0
        if pid and self._serves_us(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
            if not _wait(lambda: not self._serves_us(pid), STOP_SECONDS):
                raise LocalError(f"A PostgreSQL still runs on {self.folder}; end it first: kill -QUIT {pid}")
        # Its process id may belong to something else by now, and PostgreSQL would then refuse to start.
        (self.folder / "postmaster.pid").unlink(missing_ok=True)

    def _serves_us(self, pid: int) -> bool:
        """Whether that process is a server on our data, which is its working folder."""
        try:
            return Path(f"/proc/{pid}/cwd").readlink() == self.folder.resolve()
        except OSError:
            return False

    def _initdb(self, data: Path, password_file: Path) -> None:
        command = [self.programs / "initdb", "-D", str(data), "-U", USER, "--encoding=UTF8", "--no-instructions"]
        command += ["--auth=scram-sha-256", f"--pwfile={password_file}"]
        self._run("make a database cluster", command + locale_arguments(self._locale, self.programs.version))

    def _execute_alone(self, data: Path, statement: str) -> None:
        """Run one statement without a server and so without a password."""
        command = [self.programs / "postgres", "--single", "-D", str(data), "postgres"]
        self._run("prepare the database", command, f"{statement}\n")

    def _password_file(self, staging: Path) -> Path:
        path = staging / "password"
        path.touch(mode=0o600)
        path.write_text(self._password)
        self._give_away(path)
        return path

    def _give_away(self, path: Path) -> None:
        if self._account:
            self._account.own(path)

    def _run(self, purpose: str, command: list[str], text: str = "") -> None:
        identity = self._account.popen_arguments() if self._account else {}
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            env=self._environ,
            timeout=120,
            check=False,
            start_new_session=True,
            **identity,
        )
        # A server without clients goes on after an error, and then ends well.
        if done.returncode != 0 or "ERROR: " in done.stderr:
            words = (done.stderr or done.stdout).strip().splitlines()
            raise LocalError(f"Could not {purpose} in {self.folder}: {' / '.join(words[-2:])}")


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def new_password() -> str:
    return secrets.token_urlsafe(24)
