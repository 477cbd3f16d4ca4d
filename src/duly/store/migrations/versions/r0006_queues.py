"""Queues that can be paused, and what each worker session must leave alone."""

import sqlalchemy as sa
from alembic import op

from duly.store.migrations.ddl import add_column, drop_column, key, table, text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates `queue`; sessions say which queues are paused."""
    table(
        "queue",
        sa.Column("name", key(64), nullable=False),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("paused_by", key(64), nullable=True),
        sa.Column("reason", text(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "paused_at IS NOT NULL OR (paused_by IS NULL AND reason IS NULL)", name="queue_open_says_nothing"
        ),
        sa.PrimaryKeyConstraint("name"),
    )
    add_column("worker", sa.Column("paused", text(), nullable=True))


def downgrade() -> None:
    """Takes both away; what was paused is open again."""
    drop_column("worker", "paused")
    op.drop_table("queue", if_exists=True)
