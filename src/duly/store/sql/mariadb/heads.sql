-- The least pending ticket of each rank of one queue, found from these places on; without a lock.
-- A place must be a constant, or the index is read from the rank's beginning: so ten times the same. (min() would
-- not stop at a rank's end before it finds a row that lives.)
SELECT (SELECT fair_at FROM task FORCE INDEX (task_claim) WHERE status = 'pending' AND queue = :queue
  AND suspect = 0 AND `rank` = 1 AND (:p1 = 0 OR fair_at >= :p1) ORDER BY fair_at LIMIT 1)
UNION ALL SELECT (SELECT fair_at FROM task FORCE INDEX (task_claim) WHERE status = 'pending' AND queue = :queue
  AND suspect = 0 AND `rank` = 2 AND (:p2 = 0 OR fair_at >= :p2) ORDER BY fair_at LIMIT 1)
UNION ALL SELECT (SELECT fair_at FROM task FORCE INDEX (task_claim) WHERE status = 'pending' AND queue = :queue
  AND suspect = 0 AND `rank` = 3 AND (:p3 = 0 OR fair_at >= :p3) ORDER BY fair_at LIMIT 1)
UNION ALL SELECT (SELECT fair_at FROM task FORCE INDEX (task_claim) WHERE status = 'pending' AND queue = :queue
  AND suspect = 0 AND `rank` = 4 AND (:p4 = 0 OR fair_at >= :p4) ORDER BY fair_at LIMIT 1)
UNION ALL SELECT (SELECT fair_at FROM task FORCE INDEX (task_claim) WHERE status = 'pending' AND queue = :queue
  AND suspect = 0 AND `rank` = 5 AND (:p5 = 0 OR fair_at >= :p5) ORDER BY fair_at LIMIT 1)
UNION ALL SELECT (SELECT fair_at FROM task FORCE INDEX (task_claim) WHERE status = 'pending' AND queue = :queue
  AND suspect = 0 AND `rank` = 6 AND (:p6 = 0 OR fair_at >= :p6) ORDER BY fair_at LIMIT 1)
UNION ALL SELECT (SELECT fair_at FROM task FORCE INDEX (task_claim) WHERE status = 'pending' AND queue = :queue
  AND suspect = 0 AND `rank` = 7 AND (:p7 = 0 OR fair_at >= :p7) ORDER BY fair_at LIMIT 1)
UNION ALL SELECT (SELECT fair_at FROM task FORCE INDEX (task_claim) WHERE status = 'pending' AND queue = :queue
  AND suspect = 0 AND `rank` = 8 AND (:p8 = 0 OR fair_at >= :p8) ORDER BY fair_at LIMIT 1)
UNION ALL SELECT (SELECT fair_at FROM task FORCE INDEX (task_claim) WHERE status = 'pending' AND queue = :queue
  AND suspect = 0 AND `rank` = 9 AND (:p9 = 0 OR fair_at >= :p9) ORDER BY fair_at LIMIT 1)
UNION ALL SELECT (SELECT fair_at FROM task FORCE INDEX (task_claim) WHERE status = 'pending' AND queue = :queue
  AND suspect = 0 AND `rank` = 10 AND (:p10 = 0 OR fair_at >= :p10) ORDER BY fair_at LIMIT 1);
