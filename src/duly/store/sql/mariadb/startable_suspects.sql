-- Whether one queue has a suspect that this worker knows; the look before a claim, without a lock.
SELECT 1 FROM (
  SELECT id FROM task FORCE INDEX (task_claim)
  WHERE status = 'pending' AND queue = :queue AND suspect > 0
  ORDER BY suspect DESC, `rank`, fair_at, id LIMIT 1000) c
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = c.id
WHERE JSON_CONTAINS(:batch, JSON_QUOTE(CONCAT(t.task_type, coalesce(CONCAT('@', t.code_version), ''))))
  AND (t.due_at IS NULL OR t.due_at > :now)
LIMIT 1;
