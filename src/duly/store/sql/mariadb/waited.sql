-- Of the tasks that stand first at one priority of a queue, those that have waited since :before; no lock.
SELECT t.id FROM (SELECT id FROM task FORCE INDEX (task_claim) WHERE status = 'pending' AND queue = :queue
  AND suspect = 0 AND `rank` = :rank AND fair_at >= :place ORDER BY fair_at, id LIMIT :limit) c
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = c.id WHERE t.touched_at <= :before;
