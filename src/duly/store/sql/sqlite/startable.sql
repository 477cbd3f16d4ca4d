-- Whether one queue has a pending task that this worker knows; the look before a claim.
SELECT 1 FROM (
  SELECT task_type, code_version, due_at FROM task
  WHERE status = 'pending' AND queue = :queue AND suspect = 0 ORDER BY rank, fair_at, id LIMIT 1000)
WHERE task_type || coalesce('@' || code_version, '') IN (SELECT value FROM json_each(:batch))
  AND (due_at IS NULL OR due_at > :now)
LIMIT 1;
