"""A row for each inbox, which is locked while a line is put into it."""

import sqlalchemy as sa
from alembic import op

from duly.store.migrations.ddl import key, table

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table; rows are made with the first line."""
    table(
        "inbox",
        sa.Column("tenant", key(64), nullable=False),
        sa.Column("owner", key(64), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "owner"),
    )


def downgrade() -> None:
    """Drops it; lines stay."""
    op.drop_table("inbox")
