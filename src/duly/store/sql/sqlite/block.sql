-- Blocks the pending tasks of the batch, which are locked, on the limit that had no room for each.
WITH b AS MATERIALIZED (SELECT value AS r FROM json_each(:batch))
UPDATE task SET status = 'blocked', blocked_on = r->>'limit', seq = seq + 1, touched_at = max(touched_at, :now)
FROM b WHERE task.id = r->>'id' AND +task.status = 'pending';
INSERT INTO event (task_id, seq, at, type, data)
SELECT t.id, t.seq, t.touched_at, 'blocked', json_object('limit', t.blocked_on)
FROM json_each(:batch) b CROSS JOIN task t ON t.id = b.value->>'id' WHERE +t.status = 'blocked';
