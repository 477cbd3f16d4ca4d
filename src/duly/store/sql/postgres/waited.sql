-- Of the tasks that stand first at one priority of a queue, those that have waited since :before; no lock.
SELECT id FROM (SELECT id, touched_at FROM task WHERE status = 'pending' AND queue = :queue AND suspect = 0
  AND rank = :rank AND fair_at >= :place ORDER BY fair_at, id LIMIT :limit) first
WHERE touched_at <= :before;
