"""The ledger of model calls."""

import sqlalchemy as sa
from alembic import op

from duly.store.migrations.ddl import create_index, key, table

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates `ledger`; calls made before are not in it."""
    table(
        "ledger",
        sa.Column("task_id", key(36), nullable=False),
        sa.Column("step", key(100), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("tenant", key(64), nullable=False),
        sa.Column("owner", key(64), nullable=False),
        sa.Column("task_type", key(100), nullable=False),
        sa.Column("provider", key(100), nullable=False),
        sa.Column("model", key(200), nullable=False),
        sa.Column("prompt", key(200), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger()),
        sa.Column("completion_tokens", sa.BigInteger()),
        sa.Column("cached_tokens", sa.BigInteger()),
        sa.Column("cost_nanos", sa.BigInteger()),
        sa.Column("currency", key(3)),
        sa.Column("priced_as_of", key(40)),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("kept", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "step", "n", "attempt"),
    )
    create_index("ledger_owner", "ledger", ["tenant", "owner", "day"])
    create_index("ledger_tenant", "ledger", ["tenant", "day"])
    create_index("ledger_day", "ledger", ["day"])


def downgrade() -> None:
    """Takes it away, and with it all that it says."""
    op.drop_table("ledger", if_exists=True)
