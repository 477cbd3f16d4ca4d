"""The view `tasks`: tasks as a table with real timestamps, for the SQL of people and of dashboards.

It reads columns of `task`: a migration that changes those drops it first and makes it again. Where somebody
else has something of this name already, that stays, and there is no view.
"""

import sqlalchemy as sa
from alembic import op

from duly.store.views import COLUMNS, TASKS

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates it, unless there is something of its name: a migration that was cut off has left it whole."""
    known = sa.inspect(op.get_bind())
    if "tasks" not in {*known.get_table_names(), *known.get_view_names()}:
        op.execute(TASKS[op.get_bind().dialect.name])


def downgrade() -> None:
    """Takes it away, if it is ours."""
    known = sa.inspect(op.get_bind())
    if "tasks" not in known.get_view_names():
        return
    if tuple(column["name"] for column in known.get_columns("tasks")) == COLUMNS:
        op.execute("DROP VIEW tasks")
