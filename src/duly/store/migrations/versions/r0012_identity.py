"""Identity: API keys, browser sessions, the audit log."""

import sqlalchemy as sa
from alembic import op

from duly.store.migrations.ddl import create_index, key, table, text

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates `api_key`, `web_session` and `audit`."""
    _create_api_key()
    table(
        "web_session",
        sa.Column("id", key(36), nullable=False),
        sa.Column("role", key(36), nullable=False),
        sa.Column("scopes", key(200), nullable=False),
        sa.Column("tenant", key(64), nullable=False),
        sa.Column("owner", key(64), nullable=False),
        sa.Column("api_key_id", key(36), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    create_index("web_session_expiry", "web_session", ["expires_at"])
    table(
        "audit",
        sa.Column("id", key(36), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("tenant", key(64), nullable=False),
        sa.Column("owner", key(64), nullable=False),
        sa.Column("role", key(36), nullable=False),
        sa.Column("credential", key(64), nullable=False),
        sa.Column("action", key(100), nullable=False),
        sa.Column("object", text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("request_id", key(64), nullable=False),
        sa.Column("client", key(64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    create_index("audit_at", "audit", ["at"])


def _create_api_key() -> None:
    table(
        "api_key",
        sa.Column("id", key(36), nullable=False),
        sa.Column("name", key(100), nullable=False),
        sa.Column("secret_hash", key(64), nullable=False),
        sa.Column("old_hash", key(64), nullable=True),
        sa.Column("old_until", sa.BigInteger(), nullable=True),
        sa.Column("role", key(36), nullable=False),
        sa.Column("scopes", key(200), nullable=False, server_default=""),
        sa.Column("tenant", key(64), nullable=False),
        sa.Column("owner", key(64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", key(64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("rotated_at", sa.BigInteger(), nullable=True),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("role IN ('viewer', 'user', 'operator', 'admin')", name="api_key_role_known"),
        sa.CheckConstraint("(old_hash IS NULL) = (old_until IS NULL)", name="api_key_overlap_ends"),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """Takes them away: keys and sessions are refused from then on, the log is gone."""
    for name in ("audit", "web_session", "api_key"):
        op.drop_table(name, if_exists=True)
