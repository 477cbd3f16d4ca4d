-- Lets blocked tasks, which are locked, stand in line again: at the queue's head.
INSERT INTO event (task_id, seq, at, type, data)
SELECT t.id, t.seq + 1, max(t.touched_at, :now), 'unblocked', json_object('limit', t.blocked_on)
FROM json_each(:batch) b CROSS JOIN task t ON t.id = b.value WHERE +t.status = 'blocked';
UPDATE task SET status = 'pending', blocked_on = NULL, seq = seq + 1, touched_at = max(touched_at, :now),
  fair_at = coalesce((SELECT min(h.fair_at) FROM task h WHERE h.status = 'pending' AND h.queue = task.queue
    AND h.suspect = 0 AND h.rank = task.rank), 0)
WHERE id IN (SELECT value FROM json_each(:batch)) AND +status = 'blocked';
