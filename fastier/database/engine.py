"""The connection pool: bounded, with a timeout on every wait, made anew in each worker."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError

from fastier.database import statistics

# What the server may take for one statement, a lock, and an idle transaction, and when a silent peer counts as
# gone: each is shorter than gunicorn's 30 s and nginx's wait, so the innermost gives up first.
CONNECT_SECONDS = 3
POOL_WAIT_SECONDS = 2
SERVER_TIMEOUTS = {
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
}
SILENT_PEER = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 5000,
}

# SQLSTATEs after which the same transaction may succeed: serialization failure and deadlock.
_TRANSIENT_STATES = {"40001", "40P01"}


class Database:
    """One bounded pool on one PostgreSQL; `after_fork` gives a worker its own."""

    def __init__(self, url: str, *, pool_size: int = 4, application_name: str = "fastier") -> None:
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
                **SILENT_PEER,
            },
        )
        statistics.listen(self.engine)

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
    try:
        connection.exec_driver_sql("ROLLBACK")
    except DBAPIError:
        connection.invalidate()


def is_transient(error: DBAPIError) -> bool:
    """Whether the same transaction, begun anew, may succeed: the connection broke, or the server asked for it."""
    return error.connection_invalidated or getattr(error.orig, "pgcode", None) in _TRANSIENT_STATES
