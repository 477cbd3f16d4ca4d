-- The next suspects of one queue that this worker knows, the largest groups first, locked; those that others
-- have locked are passed by. Reads at most 1,000 rows. The inner look takes no lock and sorts; a sort out
-- here would lock every row it found.
SELECT t.id, t.`rank`, t.fair_at, t.suspect, t.task_type, t.limit_key FROM (
  SELECT id FROM task FORCE INDEX (task_claim)
  WHERE status = 'pending' AND queue = :queue AND suspect > 0
  ORDER BY suspect DESC, `rank`, fair_at, id LIMIT 1000) c
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = c.id
WHERE JSON_CONTAINS(:batch, JSON_QUOTE(CONCAT(t.task_type, coalesce(CONCAT('@', t.code_version), ''))))
  AND (t.due_at IS NULL OR t.due_at > :now)
  AND t.status = 'pending' AND t.queue = :queue AND t.suspect > 0
LIMIT :free FOR UPDATE SKIP LOCKED;
