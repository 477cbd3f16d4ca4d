"""Gates: what all processes know of one model provider together."""

import sqlalchemy as sa
from alembic import op

from duly.store.migrations.ddl import key, table, text

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates `gate`."""
    table(
        "gate",
        sa.Column("name", key(100), nullable=False),
        sa.Column("closed_until", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("kind", key(36), nullable=True),
        sa.Column("code", key(100), nullable=True),
        sa.Column("message", text(), nullable=True),
        sa.Column("closings", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("probe_by", key(36), nullable=True),
        sa.Column("probe_until", sa.BigInteger(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=True),
        sa.Column("ramp_at", sa.BigInteger(), nullable=False),
        sa.Column("ramp_used", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("held_at", sa.BigInteger(), nullable=True),
        sa.Column("held_until", sa.BigInteger(), nullable=True),
        sa.Column("held_by", key(64), nullable=True),
        sa.Column("held_reason", text(), nullable=True),
        sa.Column("requests", sa.Double(), nullable=False, server_default="0"),
        sa.Column("tokens", sa.Double(), nullable=False, server_default="0"),
        sa.Column("refilled_at", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("seconds", text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("(closed_until IS NULL) = (kind IS NULL)", name="gate_closed_says_why"),
        sa.CheckConstraint(
            "held_at IS NOT NULL OR (held_until IS NULL AND held_by IS NULL AND held_reason IS NULL)",
            name="gate_free_says_nothing",
        ),
        sa.PrimaryKeyConstraint("name"),
    )


def downgrade() -> None:
    """Takes it away; each process knows its own again."""
    op.drop_table("gate", if_exists=True)
