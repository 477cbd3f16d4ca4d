-- Whether one queue has a suspect that this worker knows; the look before a claim, without a lock.
SELECT 1 FROM (
  SELECT task_type, code_version, due_at FROM task
  WHERE status = 'pending' AND queue = :queue AND suspect > 0 ORDER BY suspect DESC, rank, fair_at, id LIMIT 1000) c
WHERE task_type || coalesce('@' || code_version, '') IN (SELECT jsonb_array_elements_text(:batch::jsonb))
  AND (due_at IS NULL OR due_at > :now)
LIMIT 1;
