-- The next suspects of one queue that this worker knows, the largest groups first; reads at most 1,000 rows.
SELECT id, rank, fair_at, suspect, task_type, limit_key FROM (
  SELECT id, rank, fair_at, suspect, task_type, limit_key, code_version, due_at FROM task
  WHERE status = 'pending' AND queue = :queue AND suspect > 0
  ORDER BY suspect DESC, rank, fair_at, id LIMIT 1000)
WHERE task_type || coalesce('@' || code_version, '') IN (SELECT value FROM json_each(:batch))
  AND (due_at IS NULL OR due_at > :now)
LIMIT :free;
