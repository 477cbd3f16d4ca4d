"""How long an ended task is kept, and the index by which those whose time is over are found."""

import sqlalchemy as sa

from duly.store.migrations.ddl import add_column, drop_column, drop_index, index

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tasks that are there keep the installation's time."""
    add_column("task", sa.Column("result_ttl_ms", sa.BigInteger(), nullable=True))
    index("task_expiry", "expires_at", "id", where="expires_at IS NOT NULL")


def downgrade() -> None:
    """What has ended keeps the end of its time."""
    drop_index("task", "task_expiry")
    drop_column("task", "result_ttl_ms")
