"""Gives the local stack its database: the one that DATABASE_URL names, or a cluster of its own, mended if need be."""

import errno
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from ebtools.local import binaries
from ebtools.local.account import Account
from ebtools.local.binaries import OLDEST_VERSION, Programs
from ebtools.local.errors import LocalError
from ebtools.local.places import Places
from ebtools.local.postgres import Cluster, free_port, new_password

# A new cluster takes 40 MB at once and its first log segments as much again.
ROOM_FOR_NEW = 256
ROOM_FOR_MORE = 64
PORT_TRIES = 3


def open_cluster(places: Places) -> Cluster:
    """Start this project's own cluster, making it first where there is none."""
    folder, account = places.database()
    if not folder.is_relative_to(places.home):
        print(f"PostgreSQL cannot run as root and its account cannot reach {places.home}: its data are in {folder}.")
    _set_aside_half_made(folder)
    # A lost password is a new one: `_start` sets it.
    is_known = (places.home / "postgres-password").exists()
    password = places.kept("postgres-password", new_password)
    programs = _programs(places, folder, account)
    cluster = Cluster(programs, folder, password=password, account=account, log=places.log("postgres"))
    if not cluster.exists:
        places.require_room(folder, ROOM_FOR_NEW)
        cluster.create()
    elif not is_known:
        print(f"{folder} holds the data of an earlier start; they are kept. To start afresh: make clean-data")
        cluster.set_password()
    places.require_room(folder, ROOM_FOR_MORE)
    _start(places, cluster)
    return cluster


def _set_aside_half_made(folder: Path) -> None:
    """A folder that is no whole cluster, such as one whose copying was broken off, makes room for a new one."""
    if not folder.exists() or all((folder / name).exists() for name in ("PG_VERSION", "global/pg_control")):
        return
    if not any(folder.iterdir()):
        folder.rmdir()
        return
    aside = folder.with_name(f"{folder.name}.broken-{time.strftime('%Y%m%d-%H%M%S')}")
    folder.rename(aside)
    print(f"{folder} was no whole database; it is now {aside}, and a new one is made.")


def _programs(places: Places, folder: Path, account: Account | None) -> Programs:
    """The server of the data's own version; data of one version cannot be opened by another."""
    if not (folder / "PG_VERSION").exists():
        return binaries.reachable(binaries.find(), account, places.elsewhere)
    version = int((folder / "PG_VERSION").read_text().split(".")[0])
    try:
        return binaries.reachable(binaries.find(version), account, places.elsewhere)
    except LocalError:
        raise LocalError(
            f"{folder} holds data of PostgreSQL {version}, which is not here: {binaries.how_to_get(version)}; "
            "or delete all local data: make clean-data"
        ) from None


def _start(places: Places, cluster: Cluster) -> None:
    """On the port that it had last time if that is still free, so that tools can keep their settings."""
    for _ in range(PORT_TRIES):
        cluster.port = int(places.kept("postgres-port", lambda: str(free_port())))
        if is_free(cluster.port):
            cluster.start()
            return
        places.forget("postgres-port")
    raise LocalError("There is no free port for PostgreSQL.")


def is_free(port: int) -> bool:
    """Whether a server could listen there; LocalError when the system does not let us."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise LocalError(f"Port {port} cannot be used: {error.strerror}.") from None
    return True


def require_database(environ: Mapping[str, str]) -> None:
    """LocalError, in one line and without the password, when the given database cannot be used."""
    # Only a given database needs these here, and they take a moment to import.
    import psycopg2
    from sqlalchemy import make_url

    from fastier.settings import Settings, SettingsError

    try:
        url = make_url(Settings.from_environ(environ).database_url).set(drivername="postgresql")
        connection = psycopg2.connect(url.render_as_string(hide_password=False), connect_timeout=5)
    except SettingsError as error:
        raise LocalError(str(error)) from None
    except psycopg2.Error as error:
        raise LocalError(f"DATABASE_URL: {' '.join(str(error).split())}") from None
    version = connection.server_version // 10_000
    connection.close()
    if version < OLDEST_VERSION:
        raise LocalError(f"DATABASE_URL is a PostgreSQL {version}; Fastier needs {OLDEST_VERSION} or newer.")
