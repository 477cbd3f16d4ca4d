"""Endpoints: where an owner's ended tasks are told to; what each delivery's sends came to; chains."""

import sqlalchemy as sa
from alembic import op

from duly.store.migrations.ddl import (
    add_column,
    create_index,
    drop_column,
    drop_index,
    index,
    key,
    table,
    text,
)

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates `endpoint`; deliveries say which they go to, how their sends ended, and what comes next."""
    table(
        "endpoint",
        sa.Column("id", key(36), nullable=False),
        sa.Column("tenant", key(64), nullable=False),
        sa.Column("owner", key(64), nullable=False),
        sa.Column("url", text(), nullable=False),
        sa.Column("format", key(36), nullable=False),
        *(sa.Column(one, text(), nullable=False) for one in ("secrets", "events", "task_types", "headers")),
        sa.Column("ordered", sa.SmallInteger(), nullable=False),
        sa.Column("enabled", sa.SmallInteger(), nullable=False),
        sa.Column("reason", text(), nullable=True),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("format IN ('standard-webhooks', 'cloudevents')", name="endpoint_format_known"),
        sa.CheckConstraint("enabled = 0 OR reason IS NULL", name="endpoint_enabled_says_nothing"),
        sa.PrimaryKeyConstraint("id"),
    )
    create_index("endpoint_owner", "endpoint", ["tenant", "owner", "enabled", "id"])
    index("endpoint_ordered", "ordered", "id", where="ordered = 1", of="endpoint")
    for name, of in (("endpoint_id", key(36)), ("outcome", key(36)), ("log", text()), ("chain", text())):
        add_column("delivery", sa.Column(name, of, nullable=True))
    for name in ("subscribed", "step"):
        add_column("delivery", sa.Column(name, sa.SmallInteger(), nullable=False, server_default="0"))
    add_column("delivery", sa.Column("began", sa.Integer(), nullable=False, server_default="0"))
    columns = ("endpoint_id", "status", "id")
    create_index("notification_unread", "notification", ["tenant", "owner", "read_at", "id"])
    index("delivery_endpoint", *columns, where="endpoint_id IS NOT NULL", of="delivery")


def downgrade() -> None:
    """Takes them away; what is owed to endpoints is given up."""
    op.execute("DELETE FROM delivery WHERE channel = 'endpoint'")
    drop_index("delivery", "delivery_endpoint")
    drop_index("notification", "notification_unread")
    for name in ("began", "step", "chain", "log", "outcome", "subscribed", "endpoint_id"):
        drop_column("delivery", name)
    op.drop_table("endpoint", if_exists=True)
