"""The tables, once for every database. Times are BIGINT milliseconds UTC, ids UUIDv7 strings.

No foreign keys (decision 0011): a task and what belongs to it are written in one transaction. No descending
index (MariaDB). Invariants are constraints.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    SmallInteger,
    Table,
    column,
)

from duly.store import accounts, columns, steering, surface, tickets
from duly.store import ledger as ledgers
from duly.store.columns import HOT, STORAGE, Body, LongText, by_time, index, key, statuses

metadata = columns.metadata
#: Those that people write, which have a file of their own.
limits, queue, schedule, share = steering.limits, steering.queue, steering.schedule, steering.share
#: Those of who calls.
api_key, audit, web_session = accounts.api_key, accounts.audit, accounts.web_session
ticket = tickets.ticket
bucket, upload, upload_ref = surface.bucket, surface.upload, surface.upload_ref
endpoint, gate = steering.endpoint, steering.gate
ledger = ledgers.ledger

task = Table(
    "task",
    metadata,
    Column("id", key(36), primary_key=True),
    Column("task_type", key(100), nullable=False),
    Column("queue", key(64), nullable=False),
    Column("tenant", key(64), nullable=False, server_default=""),
    Column("owner", key(64), nullable=False, server_default=""),
    Column("status", key(36), nullable=False),
    Column("rank", SmallInteger, nullable=False),
    Column("fair_at", BigInteger, nullable=False),
    Column("due_at", BigInteger),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("retry_count", Integer, nullable=False, server_default="0"),
    Column("max_retries", Integer, nullable=False),
    Column("exhausted", SmallInteger, nullable=False, server_default="0"),
    # Worker processes that died while this task ran alone in them.
    Column("loss_count", Integer, nullable=False, server_default="0"),
    # Worker processes that died in a row while it ran in them, alone or not.
    Column("deaths", SmallInteger, nullable=False, server_default="0"),
    # How many may share the process of its next attempt, since two died under it; 0: it is no suspect.
    Column("suspect", SmallInteger, nullable=False, server_default="0"),
    Column("timeout_ms", BigInteger, nullable=False),
    # How long it is kept once it has ended; NULL: as long as the installation says then.
    Column("result_ttl_ms", BigInteger),
    Column("deadline_at", BigInteger),
    Column("worker_id", key(36)),
    Column("cancel_requested_at", BigInteger),
    Column("wait_kind", key(36)),
    # The limit that its input puts it under, besides those of its queue and its type; NULL: none.
    Column("limit_key", key(255)),
    # Which limit had no room for it.
    Column("blocked_on", key(255)),
    # In which limits its latest attempt took room, as a JSON list; it counts while that runs.
    Column("holds", LongText),
    # The version of the handler that recorded the latest step; NULL: there is none, any version may run it.
    Column("code_version", key(64)),
    # The task whose handler spawned it.
    Column("parent_id", key(36)),
    Column("idempotency_key", key(200)),
    Column("body_hash", key(64), nullable=False),
    Column("unique_key", key(400)),
    Column("progress", Double),
    Column("progress_message", LongText),
    Column("error_code", key(100)),
    Column("error", LongText),
    Column("metadata", LongText, nullable=False),
    Column("seq", Integer, nullable=False, server_default="1"),
    Column("touched_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("completed_at", BigInteger),
    Column("expires_at", BigInteger),
    CheckConstraint(statuses(), name="task_status_known"),
    CheckConstraint(column("rank").between(1, 10), name="task_rank_in_range"),
    # A running task has an owner to blame, and nothing else has.
    CheckConstraint("(status = 'running') = (worker_id IS NOT NULL)", name="task_running_has_worker"),
    # A terminal task says when it ended; a living one does not claim to have ended.
    CheckConstraint(
        "(status IN ('completed', 'failed', 'cancelled')) = (completed_at IS NOT NULL)",
        name="task_end_has_time",
    ),
    # What the clock must wake has a time to be woken at.
    CheckConstraint("status NOT IN ('scheduled', 'retry') OR due_at IS NOT NULL", name="task_due_has_time"),
    # Only what is yet to be run apart is under suspicion.
    CheckConstraint("suspect = 0 OR status IN ('pending', 'blocked', 'running')", name="task_suspect_runs"),
    *index("task_claim", "queue", "suspect", "rank", "fair_at", "id", where="status = 'pending'"),
    # SQLite's has nothing that a claim changes (decision 0047).
    *index(
        "task_ticket",
        *("tenant", "owner", "queue", "rank", "fair_at"),
        where="status = 'pending'",
        sqlite=("tenant", "owner", "queue", "rank"),
    ),
    *index("task_blocked", "blocked_on", "rank", "fair_at", "id", where="status = 'blocked'"),
    *index("task_held", "worker_id", where="status = 'running'"),
    Index("task_clock", "status", "due_at"),
    Index("task_owner", "tenant", "owner", "id"),
    *index(
        "task_idempotency",
        *("tenant", "owner", "idempotency_key"),
        where="idempotency_key IS NOT NULL",
        unique=True,
    ),
    *index("task_unique", "unique_key", where="unique_key IS NOT NULL", unique=True),
    *index("task_expiry", "expires_at", "id", where="expires_at IS NOT NULL"),
    *index("task_parent", "parent_id", "id", where="parent_id IS NOT NULL"),
    **STORAGE,
    **HOT,
)

task_tag = Table(
    "task_tag",
    metadata,
    Column("task_id", key(36), primary_key=True),
    Column("tag", key(64), primary_key=True),
    Index("task_tag_tag", "tag", "task_id"),
    **STORAGE,
)

# Bodies: input, result, traceback, `step/<name>/<n>`, and the `unique` word of an ended task (store.unique).
# Small ones are text, large ones zlib in parts.
task_data = Table(
    "task_data",
    metadata,
    Column("task_id", key(36), primary_key=True),
    Column("kind", key(200), primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("text", LongText),
    Column("data", Body),
    **STORAGE,
)

blob = Table(
    "blob",
    metadata,
    Column("sha256", key(64), primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("parts", Integer, nullable=False),
    Column("data", Body, nullable=False),
    **STORAGE,
)

partial = Table(
    "partial",
    metadata,
    Column("task_id", key(36), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("text", LongText, nullable=False),
    **STORAGE,
)

attempt = Table(
    "attempt",
    metadata,
    Column("task_id", key(36), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("worker_id", key(36), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("outcome", key(36)),
    Column("error_code", key(100)),
    Column("error", LongText),
    **STORAGE,
)

step = Table(
    "step",
    metadata,
    Column("task_id", key(36), primary_key=True),
    Column("name", key(100), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("digest", key(64), nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # A wait is a step: for which signal, or empty for a sleep; until when; and once it is over, the number of
    # the signal that it took, or 0.
    Column("waits_for", key(64)),
    Column("due_at", BigInteger),
    Column("taken", Integer),
    # A gather is a wait: how many of its children have not ended, and whether one that fails ends it. What it
    # takes is 0, or 1 when one of them failed.
    Column("children", Integer),
    Column("eager", SmallInteger),
    **STORAGE,
)

# Which children a task's gathers wait for, or waited for; once one has ended, how.
child = Table(
    "child",
    metadata,
    Column("task_id", key(36), primary_key=True),
    Column("child_id", key(36), primary_key=True),
    Column("name", key(100), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("outcome", key(36)),
    **STORAGE,
)

# Tasks that failed or were cancelled, and whose living children have not been told yet.
bereft = Table("bereft", metadata, Column("task_id", key(36), primary_key=True), **STORAGE)

# What a map knows of each of its items: those that were never tried have no row.
item = Table(
    "item",
    metadata,
    Column("task_id", key(36), primary_key=True),
    Column("name", key(100), primary_key=True),
    Column("n", Integer, primary_key=True),
    # retry · completed · failed
    Column("status", key(36), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("digest", key(64), nullable=False),
    Column("result", LongText),
    Column("error_code", key(100)),
    Column("error", LongText),
    CheckConstraint("status IN ('retry', 'completed', 'failed')", name="item_status_known"),
    # What completed has a result, and nothing else has.
    CheckConstraint("(status = 'completed') = (result IS NOT NULL)", name="item_result_kept"),
    **STORAGE,
)

# What was said to a task from outside, in order; each is taken once, by a wait of its name.
signal = Table(
    "signal",
    metadata,
    Column("task_id", key(36), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("name", key(64), nullable=False),
    Column("id", key(200), nullable=False),
    Column("data", LongText, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("taken_at", BigInteger),
    Index("signal_id", "task_id", "id", unique=True),
    **STORAGE,
)

# A job at a vendor: a row for each attempt that was about to submit it, with the SHA-256 of its callback's
# secret; the row with the vendor's id is the job. Its next poll is when its wait is due.
job = Table(
    "job",
    metadata,
    Column("task_id", key(36), primary_key=True),
    Column("name", key(64), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("secret_hash", key(64), nullable=False),
    Column("external_id", LongText),
    Column("deadline_at", BigInteger),
    # So many polls, so many of the last ones in a row failed, and what the last failure was.
    Column("polls", Integer, nullable=False, server_default="0"),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("error", LongText),
    Column("created_at", BigInteger, nullable=False),
    **STORAGE,
)

event = Table(
    "event",
    metadata,
    Column("task_id", key(36), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("type", key(36), nullable=False),
    Column("data", LongText, nullable=False),
    by_time("event_at", "at"),
    **STORAGE,
)

worker = Table(
    "worker",
    metadata,
    Column("id", key(36), primary_key=True),
    Column("host", key(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("queues", LongText, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    # How many tasks it held when it died; 0: none of them can have been the cause.
    Column("held", Integer),
    # The paused queues, each between commas: what its claims must leave alone (store.pauses).
    Column("paused", LongText),
    # The limits of queues and types that there are, each between commas: what its claims must ask.
    Column("limited", LongText),
    # What it can run, with commas between: `type` and `type@version`; NULL: it does not say.
    Column("types", LongText),
    Index("worker_living", "ended_at", "lease_until"),
    **STORAGE,
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", key(36), primary_key=True),
    Column("task_id", key(36), nullable=False),
    Column("channel", key(36), nullable=False),
    Column("target", LongText, nullable=False),
    # held until the task ends · pending · sending · delivered · dead
    Column("status", key(36), nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("due_at", BigInteger),
    Column("worker_id", key(36)),
    Column("body", LongText),
    Column("last_code", Integer),
    Column("last_error", LongText),
    Column("created_at", BigInteger, nullable=False),
    Column("delivered_at", BigInteger),
    # Which endpoint it goes to; `subscribed`: because that asked for such ends, not the task for it.
    Column("endpoint_id", key(36)),
    Column("subscribed", SmallInteger, nullable=False, server_default="0"),
    # How the last send ended (`model.delivery.Outcome`), and the last 20 of them as a JSON list.
    Column("outcome", key(36)),
    Column("log", LongText),
    # Of a chain: all its targets as a JSON list, which of them it stands at, and the sends made before that.
    Column("chain", LongText),
    Column("step", SmallInteger, nullable=False, server_default="0"),
    Column("began", Integer, nullable=False, server_default="0"),
    CheckConstraint(
        "status IN ('held', 'pending', 'sending', 'delivered', 'dead')", name="delivery_status_known"
    ),
    CheckConstraint("(status = 'sending') = (worker_id IS NOT NULL)", name="delivery_sending_has_worker"),
    Index("delivery_task", "task_id", "status"),
    Index("delivery_clock", "status", "due_at"),
    *index("delivery_endpoint", "endpoint_id", "status", "id", where="endpoint_id IS NOT NULL"),
    **STORAGE,
)

# Locked while a line is put into it: the ids of an owner's lines ascend in the order of their commits.
inbox = Table(
    "inbox",
    metadata,
    Column("tenant", key(64), primary_key=True),
    Column("owner", key(64), primary_key=True),
    **STORAGE,
)

# The inbox's lines have integer ids, as its readers' documents ask.
notification = Table(
    "notification",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("delivery_id", key(36), nullable=False, unique=True),
    Column("task_id", key(36), nullable=False),
    Column("tenant", key(64), nullable=False),
    Column("owner", key(64), nullable=False),
    Column("type", key(36), nullable=False),
    Column("body", LongText, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("read_at", BigInteger),
    Index("notification_owner", "tenant", "owner", "id"),
    Index("notification_unread", "tenant", "owner", "read_at", "id"),
    Index("notification_task", "task_id"),
    **STORAGE,
)
