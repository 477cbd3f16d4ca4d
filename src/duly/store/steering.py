"""The tables that steer work, and that people write: queues, limits, gates, schedules, endpoints (see
`schema`)."""

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

from duly.store.columns import STORAGE, LongText, index, key, metadata

# A queue that some worker has served or somebody has paused; one that is not here is open.
queue = Table(
    "queue",
    metadata,
    Column("name", key(64), primary_key=True),
    Column("paused_at", BigInteger),
    Column("paused_by", key(64)),
    Column("reason", LongText),
    Column("updated_at", BigInteger, nullable=False),
    # Who paused it, and why, is told of a paused queue only.
    CheckConstraint(
        "paused_at IS NOT NULL OR (paused_by IS NULL AND reason IS NULL)", name="queue_open_says_nothing"
    ),
    **STORAGE,
)

# A cap on tasks that run at once, a rate at which they may start, a quota of those that wait; by a name that
# says of what (`model.limit`). The row whose name is a star is locked by whoever changes which limits exist.
limits = Table(
    "limits",
    metadata,
    Column("name", key(255), primary_key=True),
    Column("cap", Integer),
    # How many running tasks hold it.
    Column("taken", Integer, nullable=False, server_default="0"),
    # So many may start in so much time; tokens are what is left of it, as of `refilled_at`.
    Column("rate", Integer),
    Column("per_ms", BigInteger),
    Column("tokens", Double, nullable=False, server_default="0"),
    Column("refilled_at", BigInteger, nullable=False, server_default="0"),
    # When the clock must look whether there is a token for somebody who is blocked.
    Column("wake_at", BigInteger),
    # How many tasks may wait to start when another one is submitted.
    Column("most", Integer),
    # What the code declares, as JSON; since when, and by whom, an operator's word stands in its place.
    Column("declared", LongText),
    Column("changed_at", BigInteger),
    Column("changed_by", key(64)),
    Column("updated_at", BigInteger, nullable=False),
    CheckConstraint("(rate IS NULL) = (per_ms IS NULL)", name="limits_rate_has_period"),
    CheckConstraint("taken >= 0", name="limits_taken_counts"),
    *index("limits_clock", "wake_at", where="wake_at IS NOT NULL"),
    *index("limits_quota", "name", "most", where="most IS NOT NULL"),
    **STORAGE,
)

# What all processes know of one model provider together: whether it may be asked, and how much (store.gates).
gate = Table(
    "gate",
    metadata,
    Column("name", key(100), primary_key=True),
    # Nobody asks before then, and then one does; NULL: it is open.
    Column("closed_until", BigInteger),
    Column("closed_at", BigInteger),
    # What closed it (retry · limited · switch), with the provider's code and words.
    Column("kind", key(36)),
    Column("code", key(100)),
    Column("message", LongText),
    # How often in a row it was closed, and how many requests in a row failed since it is open.
    Column("closings", Integer, nullable=False, server_default="0"),
    Column("failures", Integer, nullable=False, server_default="0"),
    # Which process makes the one request behind a pause; it says so again before this is over.
    Column("probe_by", key(36)),
    Column("probe_until", BigInteger),
    # When it last opened; NULL: it has never answered. Since `ramp_at` so many were let through.
    Column("opened_at", BigInteger),
    Column("ramp_at", BigInteger, nullable=False),
    Column("ramp_used", Integer, nullable=False, server_default="0"),
    # An operator's word that nobody shall ask; without an end: until he says otherwise.
    Column("held_at", BigInteger),
    Column("held_until", BigInteger),
    Column("held_by", key(64)),
    Column("held_reason", LongText),
    # What is saved up of the rates per minute, as of `refilled_at`; what each second took, as JSON.
    Column("requests", Double, nullable=False, server_default="0"),
    Column("tokens", Double, nullable=False, server_default="0"),
    Column("refilled_at", BigInteger, nullable=False, server_default="0"),
    Column("seconds", LongText, nullable=False),
    # Counts every change: what was read before is not believed after.
    Column("version", Integer, nullable=False),
    # A closed one says why.
    CheckConstraint("(closed_until IS NULL) = (kind IS NULL)", name="gate_closed_says_why"),
    CheckConstraint(
        "held_at IS NOT NULL OR (held_until IS NULL AND held_by IS NULL AND held_reason IS NULL)",
        name="gate_free_says_nothing",
    ),
    **STORAGE,
)

# How many turns an owner gets for one of others; an empty owner: all who have no row (store.weights).
share = Table(
    "share",
    metadata,
    Column("tenant", key(64), primary_key=True),
    Column("owner", key(64), primary_key=True),
    Column("weight", Integer, nullable=False),
    CheckConstraint(column("weight").between(1, 100), name="share_weight_in_range"),
    **STORAGE,
)

# What is submitted at each tick. A name is one schedule in its tenant.
schedule = Table(
    "schedule",
    metadata,
    Column("tenant", key(64), primary_key=True),
    Column("name", key(100), primary_key=True),
    Column("owner", key(64), nullable=False),
    Column("task_type", key(100), nullable=False),
    Column("input", LongText, nullable=False),
    # All else that a submit can be given, as JSON.
    Column("conditions", LongText, nullable=False),
    Column("cron", key(100)),
    Column("zone", key(64)),
    Column("every_ms", BigInteger),
    Column("anchor_at", BigInteger, nullable=False),
    Column("catch_up", key(36), nullable=False),
    Column("catch_up_most", Integer, nullable=False),
    # The program that declares it in its code; empty: made by hand.
    Column("source", key(200), nullable=False),
    # The first tick that was not yet submitted.
    Column("next_at", BigInteger),
    Column("last_at", BigInteger),
    Column("last_task_id", key(36)),
    Column("paused_at", BigInteger),
    # Counts every change: a tick is submitted only over what it was worked out from.
    Column("version", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    # It ticks by a cron line in a zone, or by an interval.
    CheckConstraint(
        "(cron IS NULL) = (zone IS NULL) AND (cron IS NULL) <> (every_ms IS NULL)", name="schedule_has_rhythm"
    ),
    CheckConstraint("catch_up IN ('skip', 'one', 'all')", name="schedule_catch_up_known"),
    # A paused schedule has no next tick, and any other has one.
    CheckConstraint("(paused_at IS NULL) = (next_at IS NOT NULL)", name="schedule_pause_stops"),
    Index("schedule_clock", "next_at"),
    Index("schedule_source", "source"),
    **STORAGE,
)

# Where an owner's ended tasks are told to: a receiver of his, with its secrets and what it wants to hear.
endpoint = Table(
    "endpoint",
    metadata,
    Column("id", key(36), primary_key=True),
    Column("tenant", key(64), nullable=False),
    Column("owner", key(64), nullable=False),
    Column("url", LongText, nullable=False),
    # standard-webhooks · cloudevents
    Column("format", key(36), nullable=False),
    # A JSON list, the newest first: {secret, until}; a secret that was rotated signs until then.
    Column("secrets", LongText, nullable=False),
    # JSON lists; empty: all. And headers of its own, as a JSON object.
    Column("events", LongText, nullable=False),
    Column("task_types", LongText, nullable=False),
    Column("headers", LongText, nullable=False),
    # Whether a delivery waits until the one before it has ended.
    Column("ordered", SmallInteger, nullable=False),
    Column("enabled", SmallInteger, nullable=False),
    # Why it is disabled; when the first of the sends was that failed in a row.
    Column("reason", LongText),
    Column("failing_since", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    CheckConstraint("format IN ('standard-webhooks', 'cloudevents')", name="endpoint_format_known"),
    # What is enabled has no reason not to be.
    CheckConstraint("enabled = 0 OR reason IS NULL", name="endpoint_enabled_says_nothing"),
    Index("endpoint_owner", "tenant", "owner", "enabled", "id"),
    *index("endpoint_ordered", "ordered", "id", where="ordered = 1"),
    **STORAGE,
)
