"""The first schema; a test holds it equal to `duly.store.schema`."""

import sqlalchemy as sa
from alembic import op

from duly.store.migrations.ddl import body, create_index, index, key, table, text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "task_tag",
    "task_data",
    "step",
    "partial",
    "notification",
    "event",
    "delivery",
    "attempt",
    "worker",
    "task",
    "blob",
)


def upgrade() -> None:
    """Creates all tables."""
    _blob()
    _task()
    _task_indexes()
    _worker()
    _attempt()
    _delivery()
    _event()
    _notification()
    _partial()
    _step()
    _task_data()
    _task_tag()


def downgrade() -> None:
    """Drops all tables, with their rows."""
    for name in TABLES:
        op.drop_table(name)


def _blob() -> None:
    table(
        "blob",
        sa.Column("sha256", key(64), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("data", body(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", "part"),
    )


def _task_checks() -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint("(status = 'running') = (worker_id IS NOT NULL)", name="task_running_has_worker"),
        sa.CheckConstraint(
            "(status IN ('completed', 'failed', 'cancelled')) = (completed_at IS NOT NULL)",
            name="task_end_has_time",
        ),
        sa.CheckConstraint(
            "status IN ('scheduled', 'pending', 'blocked', 'running', 'retry', 'waiting', "
            "'completed', 'failed', 'cancelled')",
            name="task_status_known",
        ),
        sa.CheckConstraint(
            "status NOT IN ('scheduled', 'retry') OR due_at IS NOT NULL", name="task_due_has_time"
        ),
        sa.CheckConstraint(sa.column("rank").between(1, 10), name="task_rank_in_range"),
        sa.CheckConstraint(
            "suspect = 0 OR status IN ('pending', 'blocked', 'running')", name="task_suspect_runs"
        ),
    ]


def _task() -> None:
    table(
        "task",
        sa.Column("id", key(36), nullable=False),
        sa.Column("task_type", key(100), nullable=False),
        sa.Column("queue", key(64), nullable=False),
        sa.Column("tenant", key(64), server_default="", nullable=False),
        sa.Column("owner", key(64), server_default="", nullable=False),
        sa.Column("status", key(36), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("fair_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retry_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("max_retries", sa.Integer(), nullable=False),
        sa.Column("exhausted", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("loss_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("deaths", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("suspect", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("timeout_ms", sa.BigInteger(), nullable=False),
        sa.Column("deadline_at", sa.BigInteger(), nullable=True),
        sa.Column("worker_id", key(36), nullable=True),
        sa.Column("cancel_requested_at", sa.BigInteger(), nullable=True),
        sa.Column("wait_kind", key(36), nullable=True),
        sa.Column("idempotency_key", key(200), nullable=True),
        sa.Column("body_hash", key(64), nullable=False),
        sa.Column("unique_key", key(400), nullable=True),
        sa.Column("progress", sa.Double(), nullable=True),
        sa.Column("progress_message", text(), nullable=True),
        sa.Column("error_code", key(100), nullable=True),
        sa.Column("error", text(), nullable=True),
        sa.Column("metadata", text(), nullable=False),
        sa.Column("seq", sa.Integer(), server_default="1", nullable=False),
        sa.Column("touched_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("completed_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        *_task_checks(),
        sa.PrimaryKeyConstraint("id"),
        postgresql_with={
            "fillfactor": 80,
            "autovacuum_vacuum_scale_factor": 0.02,
            "autovacuum_vacuum_insert_scale_factor": 0.1,
            "autovacuum_analyze_scale_factor": 0.05,
            "autovacuum_vacuum_cost_limit": 2000,
        },
    )


def _task_indexes() -> None:
    index("task_claim", "queue", "suspect", "rank", "fair_at", "id", where="status = 'pending'")
    index("task_ticket", "tenant", "owner", "queue", "rank", "fair_at", where="status = 'pending'")
    index("task_held", "worker_id", where="status = 'running'")
    create_index("task_clock", "task", ["status", "due_at"])
    create_index("task_owner", "task", ["tenant", "owner", "id"])
    keyed = "idempotency_key IS NOT NULL"
    index("task_idempotency", "tenant", "owner", "idempotency_key", where=keyed, unique=True)
    index("task_unique", "unique_key", where="unique_key IS NOT NULL", unique=True)


def _worker() -> None:
    table(
        "worker",
        sa.Column("id", key(36), nullable=False),
        sa.Column("host", key(255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("queues", text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("held", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    create_index("worker_living", "worker", ["ended_at", "lease_until"])


def _attempt() -> None:
    table(
        "attempt",
        sa.Column("task_id", key(36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("worker_id", key(36), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", key(36), nullable=True),
        sa.Column("error_code", key(100), nullable=True),
        sa.Column("error", text(), nullable=True),
        sa.PrimaryKeyConstraint("task_id", "attempt"),
    )


def _delivery() -> None:
    table(
        "delivery",
        sa.Column("id", key(36), nullable=False),
        sa.Column("task_id", key(36), nullable=False),
        sa.Column("channel", key(36), nullable=False),
        sa.Column("target", text(), nullable=False),
        sa.Column("status", key(36), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("worker_id", key(36), nullable=True),
        sa.Column("body", text(), nullable=True),
        sa.Column("last_code", sa.Integer(), nullable=True),
        sa.Column("last_error", text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(status = 'sending') = (worker_id IS NOT NULL)", name="delivery_sending_has_worker"
        ),
        sa.CheckConstraint(
            "status IN ('held', 'pending', 'sending', 'delivered', 'dead')", name="delivery_status_known"
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    create_index("delivery_clock", "delivery", ["status", "due_at"])
    create_index("delivery_task", "delivery", ["task_id", "status"])


def _event() -> None:
    table(
        "event",
        sa.Column("task_id", key(36), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("type", key(36), nullable=False),
        sa.Column("data", text(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "seq"),
    )


def _notification() -> None:
    table(
        "notification",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("delivery_id", key(36), nullable=False),
        sa.Column("task_id", key(36), nullable=False),
        sa.Column("tenant", key(64), nullable=False),
        sa.Column("owner", key(64), nullable=False),
        sa.Column("type", key(36), nullable=False),
        sa.Column("body", text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("delivery_id"),
    )
    create_index("notification_owner", "notification", ["tenant", "owner", "id"])
    create_index("notification_task", "notification", ["task_id"])


def _partial() -> None:
    table(
        "partial",
        sa.Column("task_id", key(36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("text", text(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "attempt", "part"),
    )


def _step() -> None:
    table(
        "step",
        sa.Column("task_id", key(36), nullable=False),
        sa.Column("name", key(100), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("digest", key(64), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "name", "n"),
    )


def _task_data() -> None:
    table(
        "task_data",
        sa.Column("task_id", key(36), nullable=False),
        sa.Column("kind", key(200), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("text", text(), nullable=True),
        sa.Column("data", body(), nullable=True),
        sa.PrimaryKeyConstraint("task_id", "kind", "part"),
    )


def _task_tag() -> None:
    table(
        "task_tag",
        sa.Column("task_id", key(36), nullable=False),
        sa.Column("tag", key(64), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "tag"),
    )
    create_index("task_tag_tag", "task_tag", ["tag", "task_id"])
