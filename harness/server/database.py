"""The database: SQLite with a write-ahead log, or PostgreSQL; its transactions, and its migrations."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session

from harness.errors import InfrastructureError, UsageError

BUSY_SECONDS = 30
MIGRATION_LOCK = 0x6861726E
"""The number of PostgreSQL's advisory lock under which one server at a time migrates."""


class Database:
    """A database, and nothing about what is in it.

    Raises:
        UsageError: the URL is none, or its driver is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
            self._lite = parsed.get_backend_name() == "sqlite"
            # A statement's parameters never stand in a message: they may be what nobody else should read.
            self.engine = create_engine(parsed, pool_size=20, max_overflow=30, pool_pre_ping=True, hide_parameters=True)
        except (ArgumentError, NoSuchModuleError) as error:
            raise UsageError(f"the database's URL is not understood: {error}", "Say postgresql://HOST/NAME.") from error
        except ImportError as error:
            raise UsageError(f"{error}", "For PostgreSQL: pip install 'mlops-harness[postgresql]'.") from error
        self._writers = threading.Lock() if self._lite else nullcontext()
        self._writing = self.engine.execution_options(writes=True)
        if self._lite:
            event.listen(self.engine, "connect", _on_connect)
            event.listen(self.engine, "begin", _on_begin)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the database and changes nothing."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction: all of it is on disk when this ends, or none of it if it ends with an exception."""
        # SQLite takes one writer at a time; threads that queue here need not poll for its lock.
        with self._writers, Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    def migrate(self, to: str = "head") -> None:
        """Bring the tables up to date, from whatever revision they are at.

        Raises:
            InfrastructureError: the database does not answer.
        """
        config = Config()
        config.set_main_option("script_location", "harness.server:migrations")
        try:
            with self._writers, self._writing.begin() as connection:
                if not self._lite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
                config.attributes["connection"] = connection
                command.upgrade(config, to)
        except OperationalError as error:
            raise InfrastructureError(
                f"the database does not answer: {error.orig}", "Is it running, and is its URL right?"
            ) from error

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """A database with its tables up to date; closed at the end.

    Raises:
        UsageError: the URL is none, or its driver is not installed.
        InfrastructureError: the database does not answer.
    """
    database = Database(url)
    try:
        database.migrate()
        yield database
    finally:
        database.close()


def _on_connect(connection: Any, record: object) -> None:
    del record
    # Transactions are begun by `_on_begin`, not by the driver when it thinks fit.
    connection.isolation_level = None
    cursor = connection.cursor()
    # FULL: an acknowledged upload outlives a power cut.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    # A reader that turns writer can fail at once where another wrote in between; who will write says so first.
    kind = "IMMEDIATE" if connection.get_execution_options().get("writes") else "DEFERRED"
    connection.exec_driver_sql(f"BEGIN {kind}")
