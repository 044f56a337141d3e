"""What alembic runs: the connection is given, and its transaction is the caller's."""

from __future__ import annotations

from alembic import context

from harness.server.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
