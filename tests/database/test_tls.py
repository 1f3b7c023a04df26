"""TLS: with verify-full a connection is made to the server that the authority has signed for, and to no other."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy.exc import OperationalError

from ebtools.local import binaries
from ebtools.local.account import server_account
from ebtools.local.binaries import Programs
from ebtools.rehearse.authority import authority
from fastier.database import Database
from fastier.settings import Settings, SettingsError
from tests.database.servers import server
from tests.postgres import server_folder

HOST = "127.0.0.1"
# The same server under an address that its certificate does not have.
OTHER_HOST = "127.0.0.2"


@dataclass(frozen=True)
class Encrypted:
    """A server with TLS, the authority that signed for it, and another one."""

    url: str
    right: Path
    wrong: Path

    def settings(self, *, mode: str = "verify-full", host: str = HOST, root: Path | None = None) -> Settings:
        return Settings.from_environ(
            {
                "DATABASE_URL": self.url.replace(HOST, host),
                "PGSSLMODE": mode,
                "PGSSLROOTCERT": str(root or self.right),
            }
        )


def _server_with_tls() -> Programs:
    """The wheel's server is built without TLS."""
    for programs in binaries.system():
        return programs
    pytest.skip("no PostgreSQL with TLS is installed here: apt-get install postgresql")


@pytest.fixture(scope="module")
def encrypted() -> Iterator[Encrypted]:
    programs = _server_with_tls()
    signer = authority()
    signed = signer.sign_for(HOST)
    with server_folder() as folder:
        paths = {name: folder / name for name in ("certificate", "key", "right", "wrong")}
        texts = (signed.certificate, signed.key, signer.certificate, authority().certificate)
        for path, text in zip(paths.values(), texts, strict=True):
            path.write_text(text)
        paths["key"].chmod(0o600)
        account = server_account(folder)
        if account is not None:
            account.own(paths["key"])
        listening = {
            "ssl": "on",
            "ssl_cert_file": str(paths["certificate"]),
            "ssl_key_file": str(paths["key"]),
            "listen_addresses": f"{HOST},{OTHER_HOST}",
        }
        with server(programs, **listening) as url:
            yield Encrypted(url, paths["right"], paths["wrong"])


def _connect(settings: Settings) -> bool:
    """Whether the connection that was made is encrypted."""
    with closing(Database(settings.database_url, pool_size=1)) as database, database.reading() as connection:
        statement = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        return bool(connection.exec_driver_sql(statement).scalar_one())


def test_the_right_server_under_its_own_name_is_connected_to(encrypted: Encrypted) -> None:
    assert _connect(encrypted.settings())


def test_a_server_that_another_authority_signed_for_is_refused(encrypted: Encrypted) -> None:
    with pytest.raises(OperationalError, match="SSL error"):
        _connect(encrypted.settings(root=encrypted.wrong))


def test_a_server_under_another_name_is_refused(encrypted: Encrypted) -> None:
    # It is the server at that address that is refused, and no lack of one.
    assert _connect(encrypted.settings(host=OTHER_HOST, mode="verify-ca"))
    with pytest.raises(OperationalError, match="does not match"):
        _connect(encrypted.settings(host=OTHER_HOST))


def test_a_missing_file_of_authorities_is_refused(encrypted: Encrypted) -> None:
    with pytest.raises(OperationalError, match="root certificate file"):
        _connect(encrypted.settings(root=Path("/nonexistent/rds.pem")))


def test_a_server_without_tls_is_refused(encrypted: Encrypted) -> None:
    with server(_server_with_tls()) as url:
        without = Encrypted(url, encrypted.right, encrypted.wrong)
        assert not _connect(without.settings(mode="disable"))
        with pytest.raises(OperationalError, match="server does not support SSL"):
            _connect(without.settings())


@pytest.mark.parametrize("mode", ["", "disable", "prefer", "require", "verify-ca"])
def test_production_takes_nothing_less(mode: str) -> None:
    environ = {"DATABASE_URL": "postgresql://u:p@db/x", "FASTIER_ENV": "production", "PGSSLMODE": mode}
    with pytest.raises(SettingsError, match="verify-full"):
        Settings.from_environ(environ)


def test_what_is_checked_is_what_the_driver_is_told() -> None:
    environ = {"DATABASE_URL": "postgresql://u:p@db/x?sslmode=require", "PGSSLMODE": "verify-full"}
    parameters = psycopg2.extensions.parse_dsn(Settings.from_environ(environ).database_url.replace("+psycopg2", ""))
    assert parameters["sslmode"] == "require"
