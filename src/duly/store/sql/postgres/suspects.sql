-- The next suspects of one queue that this worker knows, the largest groups first, locked; those that others
-- have locked are passed by. Reads at most 1,000 rows.
SELECT t.id, t.rank, t.fair_at, t.suspect FROM (
  SELECT id, rank, fair_at, suspect, task_type, due_at FROM task
  WHERE status = 'pending' AND queue = :queue AND suspect > 0
  ORDER BY suspect DESC, rank, fair_at, id LIMIT 1000) c
JOIN task t ON t.id = c.id
WHERE c.task_type IN (SELECT jsonb_array_elements_text(:batch::jsonb)) AND (c.due_at IS NULL OR c.due_at > :now)
  AND t.status || '' = 'pending' AND t.suspect + 0 > 0
ORDER BY c.suspect DESC, c.rank, c.fair_at, c.id LIMIT :free FOR UPDATE OF t SKIP LOCKED;
