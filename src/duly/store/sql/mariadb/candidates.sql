-- The next pending tasks of one queue that this worker knows, in claim order, locked; those that others have
-- locked are passed by. Reads at most 1,000 rows. Suspects have their own place in the index (suspects.sql).
-- The inner look takes no lock and is in claim order already: a sort out here would lock every row it found.
-- Each rank from its place on: ranges that the index serves in its order, for their bounds are constants.
SELECT t.id, t.`rank`, t.fair_at, t.suspect, t.task_type, t.limit_key FROM (
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
  AND t.status = 'pending' AND t.queue = :queue AND t.suspect = 0
LIMIT :free FOR UPDATE SKIP LOCKED;
