-- The first pending tasks of one queue in claim order, and how far their timelines are, without a lock; suspects
-- are left out. Each rank from its place on: ranges that the index serves in its order.
SELECT id, `rank`, seq FROM task FORCE INDEX (task_claim)
WHERE status = 'pending' AND queue = :queue AND suspect = 0 AND (due_at IS NULL OR due_at > :now)
  AND (`rank` = 1 AND (:p1 = 0 OR fair_at >= :p1) OR `rank` = 2 AND (:p2 = 0 OR fair_at >= :p2)
    OR `rank` = 3 AND (:p3 = 0 OR fair_at >= :p3) OR `rank` = 4 AND (:p4 = 0 OR fair_at >= :p4)
    OR `rank` = 5 AND (:p5 = 0 OR fair_at >= :p5) OR `rank` = 6 AND (:p6 = 0 OR fair_at >= :p6)
    OR `rank` = 7 AND (:p7 = 0 OR fair_at >= :p7) OR `rank` = 8 AND (:p8 = 0 OR fair_at >= :p8)
    OR `rank` = 9 AND (:p9 = 0 OR fair_at >= :p9) OR `rank` = 10 AND (:p10 = 0 OR fair_at >= :p10))
ORDER BY `rank`, fair_at, id LIMIT :most;
