"""External jobs: what a task tracks at a vendor, how often it was polled, who may call back."""

import sqlalchemy as sa
from alembic import op

from duly.store.migrations.ddl import key, table, text

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates `job`."""
    table(
        "job",
        sa.Column("task_id", key(36), nullable=False),
        sa.Column("name", key(64), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("secret_hash", key(64), nullable=False),
        sa.Column("external_id", text(), nullable=True),
        sa.Column("deadline_at", sa.BigInteger(), nullable=True),
        sa.Column("polls", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "name", "n", "attempt"),
    )


def downgrade() -> None:
    """Takes it away; a task that tracks a job waits for nothing that can come."""
    op.drop_table("job", if_exists=True)
