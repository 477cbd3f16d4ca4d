"""The view `tasks`, in the three languages: read only, one row per task, times that SQL can subtract.

`payload` and `result` are JSON; of a body that is kept compressed (over 4 KB) they are NULL. Joins make it
unwritable on PostgreSQL; MariaDB would still write through a plain column, so there all are expressions.
SQLite writes through no view.
"""

from __future__ import annotations

_POSTGRES = """
CREATE VIEW tasks AS
SELECT task.id, task.task_type, task.status, task.owner AS user_id,
       input.text::json AS payload, task.retry_count, task.max_retries,
       to_timestamp(task.created_at / 1000.0) AS created_at,
       to_timestamp(task.started_at / 1000.0) AS started_at,
       to_timestamp(task.completed_at / 1000.0) AS completed_at,
       result.text::json AS result, task.error, task.metadata::json AS metadata
  FROM task
  LEFT JOIN task_data AS input ON input.task_id = task.id AND input.kind = 'input' AND input.part = 0
  LEFT JOIN task_data AS result ON result.task_id = task.id AND result.kind = 'result' AND result.part = 0
"""
_MARIADB = """
CREATE SQL SECURITY INVOKER VIEW tasks AS
SELECT COALESCE(task.id) AS id, COALESCE(task.task_type) AS task_type, COALESCE(task.status) AS status,
       COALESCE(task.owner) AS user_id, COALESCE(input.text) AS payload,
       COALESCE(task.retry_count) AS retry_count, COALESCE(task.max_retries) AS max_retries,
       FROM_UNIXTIME(task.created_at / 1000) AS created_at,
       FROM_UNIXTIME(task.started_at / 1000) AS started_at,
       FROM_UNIXTIME(task.completed_at / 1000) AS completed_at,
       COALESCE(result.text) AS result, COALESCE(task.error) AS error, COALESCE(task.metadata) AS metadata
  FROM task
  LEFT JOIN task_data AS input ON input.task_id = task.id AND input.kind = 'input' AND input.part = 0
  LEFT JOIN task_data AS result ON result.task_id = task.id AND result.kind = 'result' AND result.part = 0
"""
_SQLITE = """
CREATE VIEW tasks AS
SELECT task.id, task.task_type, task.status, task.owner AS user_id,
       input.text AS payload, task.retry_count, task.max_retries,
       strftime('%Y-%m-%d %H:%M:%f', task.created_at / 1000.0, 'unixepoch') AS created_at,
       strftime('%Y-%m-%d %H:%M:%f', task.started_at / 1000.0, 'unixepoch') AS started_at,
       strftime('%Y-%m-%d %H:%M:%f', task.completed_at / 1000.0, 'unixepoch') AS completed_at,
       result.text AS result, task.error, task.metadata
  FROM task
  LEFT JOIN task_data AS input ON input.task_id = task.id AND input.kind = 'input' AND input.part = 0
  LEFT JOIN task_data AS result ON result.task_id = task.id AND result.kind = 'result' AND result.part = 0
"""
COLUMNS = (
    *("id", "task_type", "status", "user_id", "payload", "retry_count", "max_retries"),
    *("created_at", "started_at", "completed_at", "result", "error", "metadata"),
)
#: The statement that makes it, by the name of the dialect.
TASKS = {"sqlite": _SQLITE, "postgresql": _POSTGRES, "mysql": _MARIADB, "mariadb": _MARIADB}
