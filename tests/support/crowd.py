"""A database as a busy installation has it, made by a few statements: for plans and counted work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

#: 10,000 running, 20,000 pending over three queues (1,200 suspects at the head of each), 20,000 ended, some
#: of every other state.
SIZES = {
    "running": 10_000,
    "pending": 20_000,
    "completed": 20_000,
    "scheduled": 300,
    "retry": 300,
    "waiting": 300,
    "blocked": 3_000,
}
#: What a table can hold almost alone, from which a planner concludes the most.
PENDING, RUNNING, ENDED = {"pending": 10_000}, {"running": 10_000}, {"completed": 10_000}
FEW_PENDING = {"pending": 20}
NOW = 1_800_000_000_000

TASKS = """
INSERT INTO task (id, task_type, queue, tenant, owner, status, "rank", fair_at, due_at, attempt, max_retries,
  timeout_ms, worker_id, idempotency_key, body_hash, unique_key, metadata, seq, touched_at, created_at,
  completed_at, expires_at, parent_id)
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :count)
SELECT :status || '-' || substr('' || (1000000 + i), 2), 'type' || (i % 5), 'queue' || (i % 3),
  'tenant' || (i % 2), 'owner' || (i % 40), :status, 1 + i % 10, i * 10,
  CASE WHEN :status IN ('scheduled', 'retry', 'waiting') OR (:status = 'pending' AND i % 10 = 0)
    THEN :now + 1000 + i END,
  CASE WHEN :status IN ('pending', 'scheduled') THEN 0 ELSE 1 END, 3, 600000,
  CASE WHEN :status = 'running' THEN 'w' || (i % 20) END, :status || i, 'h',
  CASE WHEN :status <> 'completed' THEN :status || i END, '{}', 2, :now, :now - i,
  CASE WHEN :status = 'completed' THEN :now END, CASE WHEN :status = 'completed' THEN :now + i END,
  CASE WHEN :status = 'completed' AND i >= 2000
    THEN 'running-' || substr('' || (1000000 + i % 1000 * 10), 2) END
FROM n"""

REST = (
    "INSERT INTO event (task_id, seq, at, type, data) SELECT id, 1, created_at, 'accepted', '{}' FROM task",
    "INSERT INTO event (task_id, seq, at, type, data) SELECT id, 2, touched_at, 'log', '{}' FROM task",
    "INSERT INTO task_data (task_id, kind, part, text) SELECT id, 'input', 0, '{}' FROM task",
    """INSERT INTO attempt (task_id, attempt, worker_id, started_at, ended_at)
    SELECT id, 1, coalesce(worker_id, 'w0'), :now, completed_at FROM task WHERE attempt = 1""",
    """INSERT INTO step (task_id, name, n, attempt, digest, duration_ms, created_at)
    SELECT id, 'facts', 1, 1, 'd', 5, :now FROM task WHERE attempt = 1""",
    "INSERT INTO bereft (task_id) SELECT id FROM task",
    "UPDATE task SET blocked_on = 'key/type1//' || (fair_at % 50) WHERE status = 'blocked'",
    """INSERT INTO limits (name, cap, taken, updated_at)
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < 2000)
    SELECT 'key/type1//' || i, 2, 2, :now FROM n""",
    "INSERT INTO task_tag (task_id, tag) SELECT id, 'all' FROM task WHERE attempt = 0",
    """INSERT INTO partial (task_id, attempt, part, text)
    SELECT id, 1, 0, 'x' FROM task WHERE status = 'running'""",
    """INSERT INTO delivery (id, task_id, channel, target, status, due_at, worker_id, body, created_at)
    SELECT 'd-' || id, id, 'inbox', '{}', CASE WHEN status = 'completed' THEN 'delivered' ELSE 'held' END,
      NULL, NULL, NULL, :now FROM task""",
    """UPDATE delivery SET status = 'pending', due_at = :now - 1
    WHERE task_id BETWEEN 'completed-000000' AND 'completed-000399'""",
    """UPDATE delivery SET status = 'sending', worker_id = 'w0'
    WHERE task_id BETWEEN 'completed-019950' AND 'completed-019999'""",
    """INSERT INTO endpoint (id, tenant, owner, url, format, secrets, events, task_types, headers, ordered,
      enabled, created_at, updated_at)
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < 2000)
    SELECT 'e-' || i, 'tenant1', 'owner' || i, '', 'cloudevents', '[]', '[]', '[]', '{}',
      CASE WHEN i % 100 = 1 THEN 1 ELSE 0 END, 1, :now, :now FROM n""",
    """INSERT INTO delivery (id, task_id, channel, target, status, due_at, endpoint_id, subscribed,
      created_at) SELECT 'e-' || id, id, 'endpoint', '{}', 'pending', :now + 1000, 'e-1', 1, :now FROM task
    WHERE id BETWEEN 'completed-006000' AND 'completed-010999'""",
    """INSERT INTO notification (delivery_id, task_id, tenant, owner, type, body, created_at)
    SELECT id, task_id, 'tenant1', 'owner1', 'completed', '{}', :now
    FROM delivery WHERE status = 'delivered'""",
    """INSERT INTO queue (name, paused_at, updated_at)
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < 300)
    SELECT 'queue' || i, CASE WHEN i % 5 = 0 THEN :now END, :now FROM n""",
    """INSERT INTO worker (id, host, pid, queues, started_at, lease_until, ended_at)
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < 300)
    SELECT 'w' || i, 'host', i, '', :now, :now + 30000, CASE WHEN i >= 20 THEN :now END FROM n""",
)

#: What stands beside tasks and is read by Core alone.
BESIDE = (
    """INSERT INTO "signal" (task_id, n, name, id, data, created_at)
    SELECT id, 1, 'go', 'one', '1', :now FROM task WHERE status IN ('running', 'waiting')""",
    """INSERT INTO child (task_id, child_id, name, n)
    SELECT 'running-' || substr('' || (1000000 + fair_at % 10000), 2), id, 'gather', 1
    FROM task WHERE status = 'completed'""",
    """INSERT INTO step (task_id, name, n, attempt, digest, duration_ms, created_at, waits_for, children,
      eager) SELECT id, 'gather', 1, 1, 'd', 5, :now, '', 20, 0 FROM task WHERE status = 'running'""",
    """INSERT INTO schedule (tenant, name, owner, task_type, input, conditions, every_ms, anchor_at, catch_up,
      catch_up_most, source, next_at, version, created_at, updated_at)
    SELECT '', id, 'owner1', 'type1', '{}', '{}', 1000, 0, 'one', 1, '', :now + 1000, 1, :now, :now
    FROM task WHERE status = 'running'""",
)

SUSPECTS = "UPDATE task SET suspect = 1 + fair_at % 8 WHERE status = 'pending' AND fair_at < 36000"


def populate(cursor: Any, style: Callable[[str], str] = str) -> None:
    """Fills an empty schema through a cursor in autocommit; `style` writes `:name` as its driver wants it."""
    cursor.execute("BEGIN")
    add_tasks(cursor, SIZES, style)
    for statement in (*REST, *BESIDE, SUSPECTS):
        cursor.execute(style(statement), {"now": NOW})
    cursor.execute("COMMIT")


def add_tasks(cursor: Any, sizes: Mapping[str, int], style: Callable[[str], str] = str) -> None:
    """So many tasks of each status."""
    for status, count in sizes.items():
        cursor.execute(style(TASKS), {"status": status, "count": count, "now": NOW})


def populate_shape(
    cursor: Any, style: Callable[[str], str], steps: Sequence[Mapping[str, int] | Sequence[str]]
) -> None:
    """Fills an empty schema in steps, each some tasks or some statements (`REST`: what belongs to tasks)."""
    for step in steps:
        if isinstance(step, Mapping):
            add_tasks(cursor, step, style)
            continue
        for statement in step:
            cursor.execute(style(statement), {"now": NOW})
