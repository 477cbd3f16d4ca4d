"""The first schema, as `duly.store.schema` declares it."""

from alembic import op

from duly.store.schema import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates all tables."""
    metadata.create_all(op.get_bind())


def downgrade() -> None:
    """Drops all tables, with their rows."""
    metadata.drop_all(op.get_bind())
