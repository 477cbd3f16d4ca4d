-- Adds lines to timelines; their numbers were reserved under the write lock.
INSERT INTO event (task_id, seq, at, type, data)
SELECT t.id, b.value->>'seq', max(t.touched_at, :now), b.value->>'type', b.value->>'data'
FROM json_each(:batch) b CROSS JOIN task t ON t.id = b.value->>'id';
