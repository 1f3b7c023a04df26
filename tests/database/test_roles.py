"""Roles: whoever migrates, serves or backs up has the rights for that, on servers whose owner is no superuser."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from psycopg2.errors import InsufficientPrivilege, ReadOnlySqlTransaction
from sqlalchemy.engine import make_url

from ebtools.local.binaries import Programs
from fastier import __main__ as command
from fastier.database import migrate, roles
from fastier.database.credentials import complete_url
from fastier.settings import ROLE_NAMES, SECRETS, DatabaseLogin, DatabaseRole, Settings
from tests.database.servers import OWNER, OWNER_PASSWORD, connect, owned_database, plain, run, server, versions
from tests.database.vault import login, serving_vault


@pytest.fixture(scope="module", params=versions())
def programs(request: pytest.FixtureRequest) -> Programs:
    found: Programs = request.param
    return found


@pytest.fixture(scope="module")
def superuser(programs: Programs) -> Iterator[str]:
    with server(programs) as url:
        yield url


@pytest.fixture
def owner(superuser: str) -> Iterator[str]:
    with owned_database(superuser) as url:
        yield url
        for role in (*ROLE_NAMES.values(), OWNER):
            if run(superuser, "SELECT 1 FROM pg_roles WHERE rolname = %s", role):
                inside = make_url(superuser).set(database=make_url(url).database)
                run(inside.render_as_string(hide_password=False), f"DROP OWNED BY {role}")
                if role != OWNER:
                    run(superuser, f"DROP ROLE {role}")
        run(superuser, f"REASSIGN OWNED BY {OWNER} TO CURRENT_USER")


def environ(owner: str) -> dict[str, str]:
    url = make_url(owner)
    return {
        "RDS_HOSTNAME": str(url.host),
        "RDS_PORT": str(url.port),
        "RDS_DB_NAME": str(url.database),
        "RDS_USERNAME": str(url.username),
        "RDS_PASSWORD": str(url.password),
        "PGSSLMODE": "disable",
        "FASTIER_DB_ROLES": "derived",
    }


@pytest.fixture
def settings(owner: str) -> Settings:
    return Settings.from_environ(environ(owner))


@pytest.fixture
def migrated(settings: Settings) -> Settings:
    assert roles.establish(settings)
    assert migrate.upgrade(_url(settings, "migrate")).is_usable
    return settings


def _url(settings: Settings, role: DatabaseRole) -> str:
    return complete_url(settings.login(role))


def _rights(url: str) -> list[tuple[object, ...]]:
    return run(
        url,
        """SELECT 'relation ' || relname, relowner::regrole::text, relacl::text FROM pg_class
            WHERE relnamespace = 'public'::regnamespace
        UNION ALL SELECT 'default ' || defaclobjtype::text, defaclrole::regrole::text, defaclacl::text
            FROM pg_default_acl
        UNION ALL SELECT 'database', datdba::regrole::text, datacl::text FROM pg_database
            WHERE datname = current_database()
        UNION ALL SELECT 'schema', nspowner::regrole::text, nspacl::text FROM pg_namespace WHERE nspname = 'public'
        ORDER BY 1""",
    )


def test_who_migrates_owns_everything_and_the_owner_nothing_but_the_database(migrated: Settings) -> None:
    found = run(
        _url(migrated, "migrate"),
        "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = 'public'::regnamespace "
        "AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')",
    )
    assert found == [("fastier_migrate",)]


def test_who_serves_changes_rows_and_nothing_else(migrated: Settings) -> None:
    refused = [
        "CREATE TABLE planted ()",
        "CREATE TEMPORARY TABLE planted ()",
        "CREATE SCHEMA planted",
        "CREATE FUNCTION planted() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP TABLE items",
        "TRUNCATE items CASCADE",
        "ALTER TABLE items ADD COLUMN planted int",
        "CREATE INDEX ON items (title)",
        "SELECT rolpassword FROM pg_authid",
        "SELECT pg_read_file('/etc/hostname')",
        "CREATE ROLE planted",
        "SET ROLE fastier_migrate",
    ]
    with connect(_url(migrated, "serve")) as connection, connection.cursor() as cursor:
        for statement in refused:
            with pytest.raises(InsufficientPrivilege):
                cursor.execute(statement)
        cursor.execute("SELECT count(*) FROM items")
        cursor.execute("DELETE FROM users")


def test_who_backs_up_reads_everything_and_writes_nothing(
    migrated: Settings, programs: Programs, tmp_path: Path
) -> None:
    run(_url(migrated, "serve"), "INSERT INTO throttles (digest, full_at) VALUES ('planted', now())")
    target = tmp_path / "dump"
    line = [programs / "pg_dump", "--schema=public", "--file", str(target), plain(_url(migrated, "backup"))]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "706c616e746564" in target.read_text()
    with connect(_url(migrated, "backup")) as connection, connection.cursor() as cursor:
        with pytest.raises(ReadOnlySqlTransaction):
            cursor.execute("DELETE FROM throttles")
        cursor.execute("SET default_transaction_read_only = off")
        with pytest.raises(InsufficientPrivilege):
            cursor.execute("DELETE FROM throttles")


def test_a_database_that_an_older_release_made_as_the_owner_is_taken_over(owner: str, settings: Settings) -> None:
    migrate.upgrade(owner, revision="0001")
    run(owner, "CREATE TYPE planted AS ENUM ('a')")
    run(owner, "CREATE SEQUENCE planted_numbers")
    roles.establish(settings)
    # The old version still serves as the owner, and the next one already as its role.
    assert run(owner, "SELECT count(*) FROM users") == [(0,)]
    assert run(_url(settings, "serve"), "SELECT count(*) FROM users") == [(0,)]
    run(_url(settings, "serve"), "SELECT nextval('planted_numbers')")
    assert migrate.upgrade(_url(settings, "migrate")).is_usable
    assert run(owner, "SELECT count(*) FROM items") == [(0,)]
    assert run(_url(settings, "serve"), "SELECT count(*) FROM items") == [(0,)]
    owners = run(owner, "SELECT DISTINCT typowner::regrole::text FROM pg_type WHERE typname = 'planted'")
    assert owners == [("fastier_migrate",)]


def test_a_second_run_changes_nothing(migrated: Settings, superuser: str) -> None:
    database = make_url(_url(migrated, "serve")).database
    inside = make_url(superuser).set(database=database).render_as_string(hide_password=False)
    digests = "SELECT rolname, rolpassword FROM pg_authid WHERE rolname LIKE 'fastier%' ORDER BY 1"
    roles.establish(migrated)
    before = _rights(inside), run(inside, digests)
    roles.establish(migrated)
    assert (_rights(inside), run(inside, digests)) == before
    # The server was told a digest; its log would otherwise hold what roles log in with.
    assert all(str(digest).startswith("SCRAM-SHA-256$") for name, digest in before[1] if name in ROLE_NAMES.values())


def test_another_password_of_the_owner_makes_others_for_all(migrated: Settings, owner: str, superuser: str) -> None:
    run(superuser, f"ALTER ROLE {OWNER} PASSWORD 'another one'")
    changed = make_url(owner).set(password="another one").render_as_string(hide_password=False)
    later = Settings.from_environ(environ(changed))
    with pytest.raises(psycopg2.OperationalError):
        run(_url(later, "serve"), "SELECT 1")
    roles.establish(later)
    for role in ROLE_NAMES:
        assert run(_url(later, role), "SELECT current_user") == [(ROLE_NAMES[role],)]
    with pytest.raises(psycopg2.OperationalError):
        run(_url(migrated, "serve"), "SELECT 1")


def test_an_owner_that_does_not_own_the_database_is_told_so(owner: str, settings: Settings, superuser: str) -> None:
    run(superuser, f"ALTER DATABASE {make_url(owner).database} OWNER TO CURRENT_USER")
    with pytest.raises(migrate.MigrationError, match="must own the database"):
        roles.establish(settings)


def test_roles_have_the_passwords_that_their_secrets_say(owner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving_vault() as vault:
        for name, value in vault.environ.items():
            monkeypatch.setenv(name, value)
        users = {**ROLE_NAMES, "owner": OWNER}
        texts = {role: login(user, OWNER_PASSWORD if role == "owner" else role * 3) for role, user in users.items()}
        arns = {SECRETS[role]: vault.make(text) for role, text in texts.items()}
        settings = Settings.from_environ({**environ(owner), **arns, "RDS_PASSWORD": ""})
        roles.establish(settings)
        assert migrate.upgrade(_url(settings, "migrate")).is_usable
        for role in ROLE_NAMES:
            assert run(_url(settings, role), "SELECT current_user") == [(ROLE_NAMES[role],)]
        # Each has rights under its own name only, so a secret of another is a mistake.
        wrong = {**arns, "FASTIER_DB_BACKUP_SECRET_ARN": arns["FASTIER_DB_SECRET_ARN"]}
        with pytest.raises(migrate.MigrationError, match=r"^FASTIER_DB_BACKUP_SECRET_ARN must be "):
            roles.establish(Settings.from_environ({**environ(owner), **wrong}))


def test_without_an_owner_nothing_is_changed(owner: str) -> None:
    plain_settings = Settings.from_environ({**environ(owner), "FASTIER_DB_ROLES": "given"})
    assert not roles.establish(plain_settings)
    assert plain_settings.login("migrate") == DatabaseLogin(plain_settings.database_url)
    assert run(owner, "SELECT 1 FROM pg_roles WHERE rolname LIKE 'fastier\\_%%'") == []


def test_the_commands_of_a_deployment(
    owner: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in environ(owner).items():
        monkeypatch.setenv(name, value)
    for action in ("roles", "upgrade", "check", "roles"):
        assert command.main(["database", action]) == 0, action
    assert "The roles are as they should be." in capsys.readouterr().out
