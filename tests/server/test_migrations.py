"""Migrations: from nothing, from the first revision, and to what the code believes the tables to be."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from harness.server import audit
from harness.server.database import Database
from harness.server.tables import Base, Job, State

INVITATION = "INSERT INTO invitations VALUES ('inv-0', 'x', 'Ada', 'fraud_detection', NULL, 0, 3, :now, NULL)"
SUBMISSION = "INSERT INTO submissions VALUES (7, 'inv-0', 'abc', 1, :now, '{}')"


def test_from_nothing_the_tables_become_what_the_code_says(database):
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_what_was_acknowledged_before_there_was_a_queue_is_queued(url):
    database = Database(url)
    database.migrate("0001")
    now = datetime.now(UTC)
    with database.write() as session:
        session.execute(text(INVITATION), {"now": now})
        session.execute(text(SUBMISSION), {"now": now})
    database.migrate()
    database.migrate()
    with database.read() as session:
        job = session.scalars(select(Job)).one()
    assert (job.submission_id, job.state, job.queued_at) == (7, State.QUEUED, now)
    database.close()


@pytest.mark.parametrize("statement", ["UPDATE audit SET detail = ''", "DELETE FROM audit"])
def test_the_audit_log_can_only_grow(database, statement):
    with database.write() as session:
        audit.record(session, "something", detail="happened \0 here\n2026-01-01 \x1b[2J")
    with pytest.raises(DatabaseError, match="can only grow"), database.write() as session:
        session.execute(text(statement))
    with database.read() as session:
        assert [line.detail for line in audit.read(session)] == [r"happened \x00 here\n2026-01-01 \x1b[2J"]


def test_servers_that_start_at_once_migrate_once(url):
    code = "import sys; from harness.server.database import Database; Database(sys.argv[1]).migrate()"
    starting = [subprocess.Popen([sys.executable, "-c", code, url]) for _ in range(4)]
    assert [process.wait() for process in starting] == [0, 0, 0, 0]
