"""Limits: how many tasks may run at once, start in a time, or wait; and what each task holds of them."""

import sqlalchemy as sa
from alembic import op

from duly.store.migrations.ddl import add_column, drop_column, drop_index, index, key, table, text

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates `limits`; tasks say which they are under, wait for and hold, sessions which there are."""
    table(
        "limits",
        sa.Column("name", key(255), nullable=False),
        sa.Column("cap", sa.Integer(), nullable=True),
        sa.Column("taken", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("rate", sa.Integer(), nullable=True),
        sa.Column("per_ms", sa.BigInteger(), nullable=True),
        sa.Column("tokens", sa.Double(), nullable=False, server_default="0"),
        sa.Column("refilled_at", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("wake_at", sa.BigInteger(), nullable=True),
        sa.Column("most", sa.Integer(), nullable=True),
        sa.Column("declared", text(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=True),
        sa.Column("changed_by", key(64), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("(rate IS NULL) = (per_ms IS NULL)", name="limits_rate_has_period"),
        sa.CheckConstraint("taken >= 0", name="limits_taken_counts"),
        sa.PrimaryKeyConstraint("name"),
    )
    index("limits_clock", "wake_at", where="wake_at IS NOT NULL", of="limits")
    index("limits_quota", "name", "most", where="most IS NOT NULL", of="limits")
    add_column("worker", sa.Column("limited", text(), nullable=True))
    add_column("task", sa.Column("limit_key", key(255), nullable=True))
    add_column("task", sa.Column("blocked_on", key(255), nullable=True))
    add_column("task", sa.Column("holds", text(), nullable=True))
    index("task_blocked", "blocked_on", "rank", "fair_at", "id", where="status = 'blocked'")


def downgrade() -> None:
    """Takes them away; what was blocked may start."""
    if "blocked_on" in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("task")}:
        op.execute("UPDATE task SET status = 'pending', blocked_on = NULL WHERE status = 'blocked'")
    drop_index("task", "task_blocked")
    for name in ("holds", "blocked_on", "limit_key"):
        drop_column("task", name)
    drop_column("worker", "limited")
    op.drop_table("limits", if_exists=True)
