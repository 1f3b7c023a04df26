"""The connection pool: bounded, with a timeout on every wait, made anew in each worker."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError

from fastier.database import credentials, deadline, statistics

# What the server may take for one statement, a lock, and an idle transaction, and when a silent peer counts as
# gone: each is shorter than gunicorn's 30 s and nginx's wait, so the innermost gives up first. libpq grants the time to
# connect to each address of a host, of which there may be two, and not less than 2 s.
CONNECT_SECONDS = 2
POOL_WAIT_SECONDS = 2
SERVER_TIMEOUTS = {
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    # An instance that is gone in the middle of a write holds its workspace locked for as long. Between two statements
    # pass milliseconds.
    "idle_in_transaction_session_timeout": "2s",
}
SILENT_PEER = {
    "keepalives": 1,
    # An idle connection is asked after two seconds; with an answer or a statement's bytes outstanding for four, it is
    # gone. So whoever takes it from the pool later finds that out at once.
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 4000,
}

# SQLSTATEs after which the same transaction, begun anew, finds another answer: serialization failure, deadlock, and a
# foreign key to what went while this waited for a lock, such as a member or an account.
_TRANSIENT_STATES = {"40001", "40P01", "23503"}


class Database:
    """One bounded pool on one PostgreSQL; `after_fork` gives a worker its own."""

    def __init__(
        self, url: str, *, secret: str | None = None, pool_size: int = 4, application_name: str = "fastier"
    ) -> None:
        """`secret` is the ARN of one that says user and password, which `url` then has not."""
        options = " ".join(f"-c {name}={value}" for name, value in {**SERVER_TIMEOUTS, "timezone": "UTC"}.items())
        self.engine: Engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_WAIT_SECONDS,
            pool_use_lifo=True,
            # Each statement stands alone unless `transaction` says BEGIN: a read saves BEGIN and COMMIT on the
            # wire, and changing a connection's mode back and forth would cost as much again.
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
            connect_args={
                "connect_timeout": CONNECT_SECONDS,
                "application_name": application_name,
                "options": options,
                "cursor_factory": deadline.Cursor,
                **SILENT_PEER,
            },
        )
        statistics.listen(self.engine)
        self._credentials = credentials.SecretCredentials(secret) if secret else None
        if self._credentials:
            credentials.listen(self.engine, self._credentials)

    def prepare(self) -> None:
        """Make what processes can share that are forked later; nothing connects."""
        if self._credentials:
            self._credentials.prepare()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection inside one transaction, committed at the end of the block and rolled back on any error."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            except BaseException:
                _roll_back(connection)
                raise
            connection.exec_driver_sql("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for statements that only read; each sees what was committed when it began."""
        with self.engine.connect() as connection:
            yield connection

    def after_fork(self) -> None:
        """Forget the parent's connections without closing them: they are still the parent's."""
        self.engine.dispose(close=False)

    def close(self) -> None:
        self.engine.dispose()


def _roll_back(connection: Connection) -> None:
    """Leave no transaction open; a connection that cannot even do this goes back to nobody."""
    if connection.invalidated:
        return
    try:
        connection.exec_driver_sql("ROLLBACK")
    except DBAPIError:
        connection.invalidate()


def is_transient(error: DBAPIError) -> bool:
    """Whether the same transaction, begun anew, may succeed: the connection broke, or the server asked for it."""
    if isinstance(error.orig, deadline.SilentServer):
        return False
    return error.connection_invalidated or getattr(error.orig, "pgcode", None) in _TRANSIENT_STATES
