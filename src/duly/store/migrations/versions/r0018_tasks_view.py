"""The view `tasks`: tasks as a table with real timestamps, for the SQL of people and of dashboards.

It reads columns of `task`: a migration that changes those drops it first and makes it again.
"""

from alembic import op

from duly.store.views import TASKS

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates it; where it is already, as a migration that was cut off leaves it, anew."""
    downgrade()
    op.execute(TASKS[op.get_bind().dialect.name])


def downgrade() -> None:
    """Takes it away."""
    op.execute("DROP VIEW IF EXISTS tasks")
