-- Running tasks whose session has ended: nobody will finish them. And how many died there together.
-- Sessions first: the index is leapt through, one step for each that holds anything.
SELECT t.id, w.id, w.held
FROM (SELECT worker_id FROM task FORCE INDEX (task_held)
  WHERE status = 'running' GROUP BY status, worker_id) h
STRAIGHT_JOIN worker w FORCE INDEX (PRIMARY) ON w.id = h.worker_id
STRAIGHT_JOIN task t FORCE INDEX (task_held) ON t.status = 'running' AND t.worker_id = w.id
WHERE w.ended_at IS NOT NULL ORDER BY t.id LIMIT 500;
