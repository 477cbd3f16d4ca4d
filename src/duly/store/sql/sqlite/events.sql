-- Adds lines to timelines; their numbers were reserved under the write lock.
WITH b AS MATERIALIZED (SELECT value AS r FROM json_each(:batch))
INSERT INTO event (task_id, seq, at, type, data)
SELECT t.id, r->>'seq', max(t.touched_at, :now), r->>'type', r->>'data'
FROM b CROSS JOIN task t ON t.id = r->>'id';
