"""Runs one PostgreSQL server of the rehearsal in a network of its own, made new or as a copy of another."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812
from sqlalchemy.engine import make_url

from ebtools.local import binaries
from ebtools.local.account import server_account
from ebtools.local.binaries import Programs
from ebtools.local.errors import LocalError
from ebtools.local.postgres import USER, Cluster, Prefix
from ebtools.rehearse.authority import Certified

REPLICA = "standby"
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 90
COPY_SECONDS = 120
FOLLOW_SECONDS = 60
# `samenet` is the subnet of every address that the server itself has.
_ADMITTED = "host all all samenet scram-sha-256\nhost replication all samenet scram-sha-256\n"


@dataclass(frozen=True, slots=True)
class Site:
    """Where one server runs: its IPv4 address, and what brings a command into its network; the prefix must exec."""

    address: str
    prefix: Prefix = list


class Server:
    """A data folder that is made new or copied, and the server on it, with a superuser that is ours alone."""

    def __init__(
        self,
        site: Site,
        folder: Path,
        *,
        port: int,
        password: str,
        settings: Mapping[str, str],
        certified: Certified | None = None,
    ) -> None:
        self.site = site
        self._certified = certified
        self._password = password
        self._account = server_account(folder)
        self.cluster = Cluster(
            binaries.reachable(_programs(certified is not None), self._account, folder.parent),
            folder,
            password=password,
            port=port,
            address=site.address,
            prefix=site.prefix,
            account=self._account,
            settings={**settings, **({"ssl": "on"} if certified else {})},
        )

    @property
    def runs(self) -> bool:
        return self.cluster.child is not None and not self.cluster.child.has_ended

    def pids(self) -> list[int]:
        """The server's own process and those of its sessions and its housekeeping."""
        child = self.cluster.child
        rows = self.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        return [*([child.process.pid] if child else []), *(int(pid) for (pid,) in rows)]

    def create(self) -> None:
        """Make an empty cluster that lets its subnet in, with a password."""
        self.cluster.create()
        with (self.cluster.folder / "pg_hba.conf").open("a") as rules:
            rules.write(_ADMITTED)
        if self._certified:
            self._write("server.crt", self._certified.certificate)
            self._write("server.key", self._certified.key)

    def copy(self, source: "Server") -> None:
        """Make a replica of a server that runs, with its rules and certificate."""
        folder, where = self.cluster.folder, source.cluster
        folder.mkdir(mode=0o700)
        self._give_away(folder)
        # The replica keeps these words. Without a timeout of TCP's own its attempts to connect to a server that is cut
        # off would come further and further apart, and commits would wait long after that server is back.
        said = f"host={where.address} port={where.port} user={USER} application_name={REPLICA} tcp_user_timeout=1000"
        command = [self.cluster.programs / "pg_basebackup", "--pgdata", str(folder), "--dbname", said]
        command += ["--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream", "--no-sync"]
        _run(self.cluster.placed(command), {"PGPASSWORD": self._password})

    def delete(self) -> None:
        """End it without a word and forget its data."""
        self.cluster.stop("immediate")
        shutil.rmtree(self.cluster.folder, ignore_errors=True)

    @contextmanager
    def superuser(self) -> Iterator[Connection]:
        """A session in which each statement is a transaction; psycopg2's errors when there is none to be had."""
        url = make_url(self.cluster.url("postgres")).set(drivername="postgresql")
        connection = psycopg2.connect(
            url.render_as_string(hide_password=False),
            connect_timeout=CONNECT_SECONDS,
            options=f"-c statement_timeout={STATEMENT_SECONDS}s",
        )
        try:
            connection.autocommit = True
            yield connection
        finally:
            connection.close()

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of one statement of the superuser, in a session of its own."""
        with self.superuser() as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def wait_for(self, replicas: str) -> None:
        """Whom a commit waits for from now on, as `synchronous_standby_names` says it; "" for nobody."""
        self.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{replicas}'")
        self.execute("SELECT pg_reload_conf()")

    def await_replica(self) -> None:
        """Return when the replica follows and commits wait for it; LocalError after a minute."""
        deadline = time.monotonic() + FOLLOW_SECONDS
        states = f"SELECT sync_state FROM pg_stat_replication WHERE application_name = '{REPLICA}'"
        while ("sync",) not in self.execute(states):
            if time.monotonic() > deadline:
                raise LocalError("The standby does not follow the primary.")
            time.sleep(0.02)

    def _write(self, name: str, text: str) -> None:
        path = self.cluster.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        self._give_away(path)

    def _give_away(self, path: Path) -> None:
        if self._account:
            self._account.own(path)


def _programs(with_tls: bool) -> Programs:
    """The wheel's server is built without TLS."""
    if not with_tls:
        return binaries.find()
    for programs in binaries.system():
        if programs.version >= binaries.OLDEST_VERSION:
            return programs
    raise LocalError("There is no PostgreSQL with TLS here: install one (apt-get install postgresql).")


def _run(command: list[str], environ: Mapping[str, str]) -> None:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **environ},
        timeout=COPY_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise LocalError(f"The primary could not be copied: {' / '.join(done.stderr.strip().splitlines()[-2:])}")
