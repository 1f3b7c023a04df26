"""Makes the roles that migrate, serve and back up, each with the rights that its work needs and no more."""

import time
from collections.abc import Iterator, Mapping

import psycopg2
from psycopg2.extensions import encrypt_password
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError

from fastier.database import migrate
from fastier.database.credentials import complete_url, is_refusal
from fastier.settings import ROLE_NAMES, SECRETS, DatabaseRole, Settings

MIGRATE, SERVE, BACKUP = (ROLE_NAMES[role] for role in ("migrate", "serve", "backup"))
CONNECT_SECONDS = 5
TRIES = 10

# The owner of a database on RDS is no superuser; as a member of the role that owns the objects it can still give its
# rights away, and an older version that logs in as the owner still finds its tables.
_PLACES = (
    f"GRANT {MIGRATE} TO CURRENT_USER",
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC",
    f"GRANT CREATE, TEMPORARY ON DATABASE {{database}} TO {MIGRATE}",
    f"GRANT USAGE, CREATE ON SCHEMA public TO {MIGRATE}",
    f"GRANT USAGE ON SCHEMA public TO {SERVE}, {BACKUP}",
    f"ALTER ROLE {BACKUP} SET default_transaction_read_only = on",
)
# What there is, and what later migrations will make. pg_read_all_data would do for backups, but from version 16 on only
# who administers that role may grant it, and the owner does not.
_RIGHTS = {
    "TABLES": ((SERVE, "SELECT, INSERT, UPDATE, DELETE"), (BACKUP, "SELECT")),
    "SEQUENCES": ((SERVE, "USAGE, SELECT"), (BACKUP, "SELECT")),
}
# Everything of ours that an older version made as the owner; extensions, and sequences of a column, have their own.
_FOREIGN = text(
    """SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
            ELSE 'TABLE' END || ' ' || c.oid::regclass
        FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
            AND c.relowner <> CAST(:role AS regrole) AND NOT EXISTS (SELECT FROM pg_depend d
                WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'a', 'i')
                    AND (d.deptype = 'e' OR c.relkind = 'S'))
    UNION ALL SELECT 'ROUTINE ' || p.oid::regprocedure
        FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.proowner <> CAST(:role AS regrole)
            AND NOT EXISTS (SELECT FROM pg_depend d
                WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    UNION ALL SELECT 'TYPE ' || t.oid::regtype
        FROM pg_type t WHERE t.typnamespace = 'public'::regnamespace AND t.typtype IN ('e', 'd')
            AND t.typowner <> CAST(:role AS regrole) AND NOT EXISTS (SELECT FROM pg_depend d
                WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')"""
)
_PROOF = text(
    f"SELECT has_schema_privilege('{MIGRATE}', 'public', 'CREATE') "
    f"AND NOT has_schema_privilege('{SERVE}', 'public', 'CREATE')"
)


def establish(settings: Settings) -> bool:
    """Make all roles as the owner, or bring them up to date; False where nobody is named as the owner.

    Safe to run at any time, also while the application serves. MigrationError says what to do.
    """
    if "owner" not in settings.logins:
        return False
    urls = {role: make_url(complete_url(settings.login(role))) for role in ROLE_NAMES}
    _check_names(urls)
    with migrate._locked_connection(complete_url(settings.login("owner"))) as connection:
        for url in urls.values():
            _set_up(connection, url)
        for statement in _statements(connection):
            _patiently(connection, statement)
        if not connection.execute(_PROOF).scalar_one():
            raise migrate.MigrationError("The roles got no rights: the owner's login must own the database.")
    return True


def _check_names(urls: Mapping[DatabaseRole, URL]) -> None:
    """The rights are given to fixed names, so a secret must say one of them."""
    wrong = [SECRETS[role] for role, url in urls.items() if url.username != ROLE_NAMES[role]]
    if wrong:
        names = ", ".join(f"{SECRETS[role]} the user {name}" for role, name in ROLE_NAMES.items())
        raise migrate.MigrationError(f"{' and '.join(wrong)} must be set to another secret; needed are: {names}.")


def _set_up(connection: Connection, url: URL) -> None:
    """Make the role, or set its password where it is refused; the server gets, and logs, only a digest of it."""
    name, password = str(url.username), str(url.password)
    is_there = connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": name}).first()
    connection.rollback()
    if is_there and _can_log_in(url):
        return
    driver = connection.connection.dbapi_connection
    digest = encrypt_password(password, name, scope=driver, algorithm="scram-sha-256")  # type: ignore[arg-type]
    # A digest consists of letters, digits and $:+/= alone.
    _patiently(connection, f"{'ALTER' if is_there else 'CREATE'} ROLE {name} LOGIN PASSWORD '{digest}'")


def _can_log_in(url: URL) -> bool:
    dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        psycopg2.connect(dsn, connect_timeout=CONNECT_SECONDS, application_name="fastier-roles").close()
    except psycopg2.OperationalError as error:
        if not is_refusal(error, str(url.username)):
            raise
        return False
    return True


def _statements(connection: Connection) -> Iterator[str]:
    """Each is asked for when the one before has taken effect."""
    database = connection.execute(text("SELECT quote_ident(current_database())")).scalar_one()
    for statement in _PLACES:
        yield statement.format(database=database)
    foreign = connection.execute(_FOREIGN, {"role": MIGRATE}).scalars().all()
    yield from (f"ALTER {thing} OWNER TO {MIGRATE}" for thing in foreign)
    for kind, rights in _RIGHTS.items():
        for role, right in rights:
            yield f"GRANT {right} ON ALL {kind} IN SCHEMA public TO {role}"
            yield f"ALTER DEFAULT PRIVILEGES FOR ROLE {MIGRATE} IN SCHEMA public GRANT {right} ON {kind} TO {role}"


def _patiently(connection: Connection, statement: str) -> None:
    """Alone in its transaction, so that it holds one lock; where it gets none at once, it lets others go first."""
    for attempt in range(1, TRIES + 1):
        # What was read before must not hold locks of its own.
        connection.rollback()
        try:
            connection.exec_driver_sql(statement)
            connection.commit()
        except OperationalError as error:
            connection.rollback()
            if getattr(error.orig, "pgcode", None) != "55P03" or attempt == TRIES:
                raise
            time.sleep(min(attempt, 5))
        else:
            return
