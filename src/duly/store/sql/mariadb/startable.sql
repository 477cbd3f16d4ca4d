-- Whether one queue has a pending task that this worker knows; the look before a claim, without a lock.
-- Each rank from its place on.
SELECT 1 FROM (
  SELECT id FROM task FORCE INDEX (task_claim)
  WHERE status = 'pending' AND queue = :queue AND suspect = 0
    AND (`rank` = 1 AND (:p1 = 0 OR fair_at >= :p1) OR `rank` = 2 AND (:p2 = 0 OR fair_at >= :p2)
      OR `rank` = 3 AND (:p3 = 0 OR fair_at >= :p3) OR `rank` = 4 AND (:p4 = 0 OR fair_at >= :p4)
      OR `rank` = 5 AND (:p5 = 0 OR fair_at >= :p5) OR `rank` = 6 AND (:p6 = 0 OR fair_at >= :p6)
      OR `rank` = 7 AND (:p7 = 0 OR fair_at >= :p7) OR `rank` = 8 AND (:p8 = 0 OR fair_at >= :p8)
      OR `rank` = 9 AND (:p9 = 0 OR fair_at >= :p9) OR `rank` = 10 AND (:p10 = 0 OR fair_at >= :p10))
  ORDER BY `rank`, fair_at, id LIMIT 1000) c
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = c.id
WHERE JSON_CONTAINS(:batch, JSON_QUOTE(CONCAT(t.task_type, coalesce(CONCAT('@', t.code_version), ''))))
  AND (t.due_at IS NULL OR t.due_at > :now)
LIMIT 1;
