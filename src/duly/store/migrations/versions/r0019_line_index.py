"""SQLite: the index that tickets are given by has no column that a claim changes."""

from alembic import op

from duly.store.migrations.ddl import drop_index, index

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes it anew, without tickets and of all rows."""
    if op.get_bind().dialect.name == "sqlite":
        drop_index("task", "task_ticket")
        op.create_index("task_ticket", "task", ["tenant", "owner", "queue", "rank"])


def downgrade() -> None:
    """Makes it as it was, of what is pending."""
    if op.get_bind().dialect.name == "sqlite":
        drop_index("task", "task_ticket")
        index("task_ticket", "tenant", "owner", "queue", "rank", "fair_at", where="status = 'pending'")
