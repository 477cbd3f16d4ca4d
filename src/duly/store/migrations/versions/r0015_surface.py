"""The HTTP surface: uploads and what refers to them, buckets of permits."""

import sqlalchemy as sa
from alembic import op

from duly.store.migrations.ddl import create_index, key, table

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates `upload`, `upload_ref` and `bucket`. Uploads that are there already stay uncounted."""
    table(
        "upload",
        sa.Column("sha256", key(64), nullable=False),
        sa.Column("touched_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
    create_index("upload_age", "upload", ["touched_at", "sha256"])
    table(
        "upload_ref",
        sa.Column("task_id", key(36), nullable=False),
        sa.Column("sha256", key(64), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "sha256"),
    )
    create_index("upload_ref_upload", "upload_ref", ["sha256"])
    table(
        "bucket",
        sa.Column("name", key(200), nullable=False),
        sa.Column("tokens", sa.Double(), nullable=False),
        sa.Column("refilled_at", sa.BigInteger(), nullable=False),
        sa.Column("full_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    create_index("bucket_full", "bucket", ["full_at"])


def downgrade() -> None:
    """Takes them away; uploads are kept for good again."""
    for name in ("bucket", "upload_ref", "upload"):
        op.drop_table(name, if_exists=True)
