"""Suspension: a wait is a remembered step, and what is said to a task from outside is a signal."""

import sqlalchemy as sa
from alembic import op

from duly.store.migrations.ddl import add_column, create_index, drop_column, key, table, text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COLUMNS = ("waits_for", "due_at", "taken")


def upgrade() -> None:
    """Adds the columns of a wait and the table of signals."""
    add_column("step", sa.Column("waits_for", key(64), nullable=True))
    add_column("step", sa.Column("due_at", sa.BigInteger(), nullable=True))
    add_column("step", sa.Column("taken", sa.Integer(), nullable=True))
    table(
        "signal",
        sa.Column("task_id", key(36), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("name", key(64), nullable=False),
        sa.Column("id", key(200), nullable=False),
        sa.Column("data", text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("task_id", "n"),
    )
    create_index("signal_id", "signal", ["task_id", "id"], unique=True)


def downgrade() -> None:
    """Takes them away, and the waits with them: a step without a value is none."""
    op.drop_table("signal", if_exists=True)
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("step")}
    if "waits_for" in columns:
        op.execute("DELETE FROM step WHERE waits_for IS NOT NULL")
    for name in reversed(COLUMNS):
        drop_column("step", name)
