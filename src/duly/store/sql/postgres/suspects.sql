-- The next suspects of one queue that this worker knows, the largest groups first, locked; those that others
-- have locked are passed by. Reads at most 1,000 rows, as candidates.sql.
SELECT t.id, c.rank, c.fair_at, t.suspect, c.task_type, t.limit_key FROM (
  SELECT id, rank, fair_at, task_type, code_version, due_at FROM task
  WHERE status = 'pending' AND queue = :queue AND suspect > 0
  ORDER BY suspect DESC, rank, fair_at, id LIMIT 1000) c
CROSS JOIN LATERAL (SELECT id, suspect, limit_key FROM task
  WHERE id = c.id AND status || '' = 'pending' AND suspect + 0 > 0 AND queue || '' = :queue
    AND code_version IS NOT DISTINCT FROM c.code_version FOR UPDATE SKIP LOCKED) t
WHERE c.task_type || coalesce('@' || c.code_version, '') = ANY(ARRAY(SELECT jsonb_array_elements_text(:batch::jsonb)))
  AND (c.due_at IS NULL OR c.due_at > :now)
LIMIT :free;
