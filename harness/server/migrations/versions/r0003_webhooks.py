"""What webhooks delivered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """From 0002."""
    op.create_table(
        "hook_pushes",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("provider", sa.String(16), nullable=False),
        sa.Column("repository", sa.Text, nullable=False),
        sa.Column("sha", sa.String(64), nullable=False),
        sa.Column("branch", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hook_pushes"),
        sa.UniqueConstraint("provider", "repository", "sha", name="uq_hook_pushes_provider_repository_sha"),
    )
    op.create_index("ix_hook_pushes_state", "hook_pushes", ["state"])
    op.create_table(
        "hook_deliveries",
        sa.Column("provider", sa.String(16), nullable=False),
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("push_id", sa.Integer, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("provider", "id", name="pk_hook_deliveries"),
        sa.ForeignKeyConstraint(["push_id"], ["hook_pushes.id"], name="fk_hook_deliveries_push_id"),
    )
