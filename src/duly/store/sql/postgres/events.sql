-- Adds lines to timelines; their numbers were reserved under the task's lock.
INSERT INTO event (task_id, seq, at, type, data)
SELECT t.id, b.seq, greatest(t.touched_at, :now), b.type, b.data
FROM jsonb_to_recordset(:batch::jsonb) AS b(id text, seq int, type text, data text)
JOIN task t ON t.id = ANY(ARRAY[b.id]);
