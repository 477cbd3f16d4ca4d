"""Fairness: the weights of owners."""

import sqlalchemy as sa
from alembic import op

from duly.store.migrations.ddl import key, table

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates `share`."""
    table(
        "share",
        sa.Column("tenant", key(64), nullable=False),
        sa.Column("owner", key(64), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.CheckConstraint("weight BETWEEN 1 AND 100", name="share_weight_in_range"),
        sa.PrimaryKeyConstraint("tenant", "owner"),
    )


def downgrade() -> None:
    """Takes it away; everybody has the same weight again."""
    op.drop_table("share", if_exists=True)
