-- The next pending tasks of one queue that this worker knows, in claim order, locked; those that others have
-- locked are passed by. Reads at most 1,000 rows. Suspects have their own place in the index (suspects.sql).
-- The inner look takes no lock and is in claim order already: a sort out here would lock every row it found.
SELECT t.id, t.`rank`, t.fair_at, t.suspect FROM (
  SELECT id FROM task FORCE INDEX (task_claim)
  WHERE status = 'pending' AND queue = :queue AND suspect = 0 ORDER BY `rank`, fair_at, id LIMIT 1000) c
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = c.id
WHERE JSON_CONTAINS(:batch, JSON_QUOTE(t.task_type)) AND (t.due_at IS NULL OR t.due_at > :now)
  AND t.status = 'pending' AND t.suspect = 0
LIMIT :free FOR UPDATE SKIP LOCKED;
