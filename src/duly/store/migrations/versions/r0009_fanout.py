"""Fan-out: a task's parent, the gathers that wait for children, and the items of a map."""

import sqlalchemy as sa
from alembic import op

from duly.store.migrations.ddl import add_column, drop_column, drop_index, index, key, table, text

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column of a parent, those of a gather, and three tables."""
    add_column("task", sa.Column("parent_id", key(36), nullable=True))
    index("task_parent", "parent_id", "id", where="parent_id IS NOT NULL")
    add_column("step", sa.Column("children", sa.Integer(), nullable=True))
    add_column("step", sa.Column("eager", sa.SmallInteger(), nullable=True))
    table(
        "child",
        sa.Column("task_id", key(36), nullable=False),
        sa.Column("child_id", key(36), nullable=False),
        sa.Column("name", key(100), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("outcome", key(36), nullable=True),
        sa.PrimaryKeyConstraint("task_id", "child_id", "name", "n"),
    )
    table("bereft", sa.Column("task_id", key(36), nullable=False), sa.PrimaryKeyConstraint("task_id"))
    table(
        "item",
        sa.Column("task_id", key(36), nullable=False),
        sa.Column("name", key(100), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("status", key(36), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("digest", key(64), nullable=False),
        sa.Column("result", text(), nullable=True),
        sa.Column("error_code", key(100), nullable=True),
        sa.Column("error", text(), nullable=True),
        sa.PrimaryKeyConstraint("task_id", "name", "n"),
        sa.CheckConstraint("status IN ('retry', 'completed', 'failed')", name="item_status_known"),
        sa.CheckConstraint("(status = 'completed') = (result IS NOT NULL)", name="item_result_kept"),
    )


def downgrade() -> None:
    """Takes them away, and the gathers with them: an older program would take one for an endless sleep."""
    for name in ("item", "bereft", "child"):
        op.drop_table(name, if_exists=True)
    if "children" in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("step")}:
        op.execute("DELETE FROM step WHERE children IS NOT NULL")
    drop_column("step", "eager")
    drop_column("step", "children")
    drop_index("task", "task_parent")
    drop_column("task", "parent_id")
