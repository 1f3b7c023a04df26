"""Plays RDS with a standby: a PostgreSQL server and a synchronous replica that takes its place, as Multi-AZ does."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import encrypt_password

from ebtools.local.errors import LocalError
from ebtools.local.postgres import USER, new_password
from ebtools.rehearse.authority import Certified
from ebtools.rehearse.server import REPLICA, Server, Site

MASTER = "ebroot"
NAME = "ebdb"
PROMOTE_SECONDS = 60
_SETTINGS = {
    "synchronous_commit": "on",
    "wal_keep_size": "256MB",
    # A replica that was cut off is back within seconds: by default it would wait for 60 s of silence and 5 s more.
    "wal_receiver_timeout": "5s",
    "wal_sender_timeout": "5s",
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "200ms",
}


class Database:
    """A primary and its replica on one port, of which clients know the primary alone.

    A commit is acknowledged when both have it on disk, so a failover loses nothing that was acknowledged. One way
    around remains, which RDS does not have: PostgreSQL answers a COMMIT that waits for a replica and is cancelled, by
    `statement_timeout` for example, with success and a warning. So keep a replica cut off no longer than that timeout
    when a failover follows.

    `folder` must be passable for the account that runs PostgreSQL, which is nobody when we are root. `settings` are
    of postgresql.conf and hold for both. With `certified`, both serve TLS under that certificate, as one name moves.
    """

    def __init__(
        self,
        folder: Path,
        primary: Site,
        standby: Site,
        *,
        port: int = 5432,
        max_connections: int = 100,
        settings: Mapping[str, str] | None = None,
        certified: Certified | None = None,
    ) -> None:
        self.port = port
        self.master_password = new_password()
        self._folder = folder
        self._sites = (primary, standby)
        self._settings = {**_SETTINGS, "max_connections": str(max_connections), **(settings or {})}
        self._certified = certified
        self._superuser_password = new_password()
        self._copies = 0
        self._building = threading.Lock()
        self._primary: Server | None = None
        self._standby: Server | None = None
        # A server ends with the thread that started it; this one lives as long as we do, whoever calls.
        self._starter: ThreadPoolExecutor | None = None

    @property
    def address(self) -> str:
        """Of the server that takes writes, or will when it is up again."""
        return self._serving.site.address

    @property
    def has_standby(self) -> bool:
        """Whether a failover is possible; not while a standby is being built."""
        return self._standby is not None and self._standby.runs

    def url(self, user: str = MASTER, password: str | None = None, *, host: str | None = None) -> str:
        """For libpq; of the master user unless another is named, and at the address unless a name for it is given."""
        secret = quote(self.master_password if password is None else password, safe="")
        return f"postgresql://{user}:{secret}@{host or self.address}:{self.port}/{NAME}"

    def environ(self, host: str | None = None) -> dict[str, str]:
        """The variables that Elastic Beanstalk gives to instances; `host` is the name that moves at a failover."""
        return {
            "RDS_HOSTNAME": host or self.address,
            "RDS_PORT": str(self.port),
            "RDS_DB_NAME": NAME,
            "RDS_USERNAME": MASTER,
            "RDS_PASSWORD": self.master_password,
        }

    def start(self) -> None:
        """Make both servers, the master user and its database; LocalError says what failed."""
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="postgres")
        try:
            self._primary = self._new_server(self._sites[0])
            self._primary.create()
            self._run(self._primary)
            self._make_master()
            self.rebuild_standby()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End both at once and delete their data; waits for a standby that is being built."""
        with self._building:
            for server in (self._standby, self._primary):
                if server:
                    server.delete()
            self._primary = self._standby = None
            if self._starter:
                self._starter.shutdown()
                self._starter = None

    def restart(self) -> None:
        """Crash the primary and start it again; returns when commits reach the replica again."""
        self._serving.cluster.stop("immediate")
        self._run(self._serving)
        if self._standby:
            self._serving.await_replica()

    def failover(self, seconds: float, move: Callable[[str], None]) -> float:
        """Kill the primary, promote the replica and `move` the name to its address; the seconds that this took.

        Connections to the old address are refused from the kill on, and the move comes at least `seconds` after it;
        RDS needs 60 to 120. The new primary waits for no replica, since it has none: `rebuild_standby` makes one, which
        RDS does in the background.
        """
        standby, old = self._replica, self._serving
        if not self.has_standby:
            raise LocalError("The standby does not run, so there is nothing to fail over to.")
        began = time.monotonic()
        old.cluster.stop("immediate")
        _promote(standby)
        time.sleep(max(0.0, began + seconds - time.monotonic()))
        self._primary, self._standby = standby, None
        move(self.address)
        took = time.monotonic() - began
        old.delete()
        return took

    def rebuild_standby(self) -> None:
        """Copy the primary to where the other server was; from then on a commit waits for both again."""
        with self._building:
            if self._standby:
                self._serving.wait_for("")
                self._standby.delete()
                self._standby = None
            standby = self._new_server(next(site for site in self._sites if site != self._serving.site))
            try:
                self._follow(standby)
            except BaseException:
                standby.delete()
                # Nobody may wait for what is not there, unless the primary is away itself.
                with suppress(psycopg2.Error):
                    self._serving.wait_for("")
                raise
            self._standby = standby

    def stop_standby(self) -> None:
        """Take the replica away without a word; commits wait until `start_standby`."""
        self._replica.cluster.stop("immediate")

    def start_standby(self) -> None:
        """Bring it back; returns when it has caught up."""
        self._run(self._replica)
        self._serving.await_replica()

    def rotate_password(self, new: str, user: str = MASTER) -> None:
        """Sessions that are open go on; new ones with the old password are refused. The log sees a digest alone."""
        with self._serving.superuser() as connection, connection.cursor() as cursor:
            digest = encrypt_password(new, user, scope=connection, algorithm="scram-sha-256")
            statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
            cursor.execute(statement.format(sql.Identifier(user), sql.Literal(digest)))
        if user == MASTER:
            self.master_password = new

    def disconnect(self, within: float = 0.0) -> None:
        """End every session of the clients that is open now, as a crash of their connections would.

        All at once, or one after the other within so many seconds.
        """
        clients = f"FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename <> '{USER}'"
        pids = [int(pid) for (pid,) in self._serving.execute(f"SELECT pid {clients}")]
        for pid in pids:
            self._serving.execute(f"SELECT pg_terminate_backend({pid})")
            time.sleep(within / len(pids))

    def sessions(self) -> list[tuple[str, str, str]]:
        """Of the clients: user, state ("active", "idle", …), and what it waits for ("SyncRep", … or nothing)."""
        rows = self._serving.execute(
            "SELECT usename, coalesce(state, ''), coalesce(wait_event, '') FROM pg_stat_activity "
            f"WHERE backend_type = 'client backend' AND usename <> '{USER}'"
        )
        return [(str(user), str(state), str(event)) for user, state, event in rows]

    def pids(self) -> list[int]:
        """The processes of the servers that run."""
        return [pid for server in (self._primary, self._standby) if server and server.runs for pid in server.pids()]

    @property
    def _serving(self) -> Server:
        if self._primary is None:
            raise LocalError("The database does not run.")
        return self._primary

    @property
    def _replica(self) -> Server:
        if self._standby is None:
            raise LocalError("The database has no standby.")
        return self._standby

    def _new_server(self, site: Site) -> Server:
        self._copies += 1
        return Server(
            site,
            self._folder / f"postgres-{self._copies}",
            port=self.port,
            password=self._superuser_password,
            settings=self._settings,
            certified=self._certified,
        )

    def _run(self, server: Server) -> None:
        assert self._starter is not None, "A database that was stopped starts nothing."
        self._starter.submit(server.cluster.start).result()

    def _follow(self, standby: Server) -> None:
        standby.copy(self._serving)
        self._run(standby)
        self._serving.wait_for(f"FIRST 1 ({REPLICA})")
        self._serving.await_replica()

    def _make_master(self) -> None:
        """RDS's master user is no superuser, but it makes roles and databases, and owns its own."""
        self._serving.execute(f"CREATE ROLE {MASTER} LOGIN CREATEROLE CREATEDB")
        self.rotate_password(self.master_password)
        self._serving.execute(f"CREATE DATABASE {NAME} OWNER {MASTER} TEMPLATE template0")


def _promote(standby: Server) -> None:
    """Make it take writes, and wait for nobody with its commits."""
    if standby.execute(f"SELECT pg_promote(true, {PROMOTE_SECONDS})") != [(True,)]:
        raise LocalError("The standby could not be promoted.")
    standby.wait_for("")
