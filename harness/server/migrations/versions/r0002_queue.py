"""The queue. What was acknowledged before there was one is queued now."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

MOMENT = sa.DateTime(timezone=True)
BACKFILL = (
    "INSERT INTO jobs (submission_id, state, queued_at, claim, owner, failures, stage, message, done, run, error) "
    "SELECT id, 'queued', received_at, 0, '', 0, '', '', '', '', '' FROM submissions"
)


def upgrade() -> None:
    """From 0001."""
    op.create_table(
        "jobs",
        sa.Column("submission_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("queued_at", MOMENT, nullable=False),
        sa.Column("not_before", MOMENT),
        sa.Column("claim", sa.Integer, nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("lease_until", MOMENT),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("stage", sa.String(100), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("done", sa.Text, nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("submission_id", name="pk_jobs"),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name="fk_jobs_submission_id"),
    )
    op.create_index("ix_jobs_state", "jobs", ["state"])
    op.execute(BACKFILL)
