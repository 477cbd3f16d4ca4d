"""Live streams: one-time tickets, and lines of all tasks by their time where there is no rowid."""

import sqlalchemy as sa
from alembic import op

from duly.store.migrations.ddl import create_index, drop_index, key, table, text

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates `ticket`; on PostgreSQL and MariaDB an index of lines by time."""
    table(
        "ticket",
        sa.Column("hash", key(64), nullable=False),
        sa.Column("route", key(64), nullable=False),
        sa.Column("principal", text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    create_index("ticket_expiry", "ticket", ["expires_at"])
    if op.get_bind().dialect.name != "sqlite":
        blocks = {"pages_per_range": 32, "autosummarize": True}
        create_index("event_at", "event", ["at"], postgresql_using="brin", postgresql_with=blocks)


def downgrade() -> None:
    """Takes both away."""
    if op.get_bind().dialect.name != "sqlite":
        drop_index("event", "event_at")
    op.drop_table("ticket", if_exists=True)
