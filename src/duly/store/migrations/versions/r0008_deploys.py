"""Which version of its handler a task began with, and which ones each worker has."""

import sqlalchemy as sa

from duly.store.migrations.ddl import add_column, drop_column, key, text

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds a column to tasks and one to sessions; what runs already may go on under any version."""
    add_column("task", sa.Column("code_version", key(64), nullable=True))
    add_column("worker", sa.Column("types", text(), nullable=True))


def downgrade() -> None:
    """Takes both away: from then on any worker of a type continues its tasks."""
    drop_column("worker", "types")
    drop_column("task", "code_version")
