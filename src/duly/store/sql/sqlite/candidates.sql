-- The next pending tasks of one queue that this worker knows, in claim order; reads at most 1,000 rows.
-- Suspects have their own place in the index (suspects.sql): however many there are, they hide nothing.
SELECT id, rank, fair_at, suspect, task_type, limit_key FROM (
  SELECT id, rank, fair_at, suspect, task_type, limit_key, code_version, due_at FROM task
  WHERE status = 'pending' AND queue = :queue AND suspect = 0 ORDER BY rank, fair_at, id LIMIT 1000)
WHERE task_type || coalesce('@' || code_version, '') IN (SELECT value FROM json_each(:batch))
  AND (due_at IS NULL OR due_at > :now)
LIMIT :free;
