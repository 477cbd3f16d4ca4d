"""Schedules."""

import sqlalchemy as sa
from alembic import op

from duly.store.migrations.ddl import create_index, key, table, text

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table of schedules."""
    table(
        "schedule",
        sa.Column("tenant", key(64), nullable=False),
        sa.Column("name", key(100), nullable=False),
        sa.Column("owner", key(64), nullable=False),
        sa.Column("task_type", key(100), nullable=False),
        sa.Column("input", text(), nullable=False),
        sa.Column("conditions", text(), nullable=False),
        sa.Column("cron", key(100), nullable=True),
        sa.Column("zone", key(64), nullable=True),
        sa.Column("every_ms", sa.BigInteger(), nullable=True),
        sa.Column("anchor_at", sa.BigInteger(), nullable=False),
        sa.Column("catch_up", key(36), nullable=False),
        sa.Column("catch_up_most", sa.Integer(), nullable=False),
        sa.Column("source", key(200), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("last_at", sa.BigInteger(), nullable=True),
        sa.Column("last_task_id", key(36), nullable=True),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(cron IS NULL) = (zone IS NULL) AND (cron IS NULL) <> (every_ms IS NULL)",
            name="schedule_has_rhythm",
        ),
        sa.CheckConstraint("catch_up IN ('skip', 'one', 'all')", name="schedule_catch_up_known"),
        sa.CheckConstraint("(paused_at IS NULL) = (next_at IS NOT NULL)", name="schedule_pause_stops"),
        sa.PrimaryKeyConstraint("tenant", "name"),
    )
    create_index("schedule_clock", "schedule", ["next_at"])
    create_index("schedule_source", "schedule", ["source"])


def downgrade() -> None:
    """Drops it, with its rows."""
    op.drop_table("schedule", if_exists=True)
