-- Blocks the pending tasks of the batch, which are locked, on the limit that had no room for each.
WITH moved AS (
  UPDATE task t SET status = 'blocked', blocked_on = r.limit_name, seq = t.seq + 1,
    touched_at = greatest(t.touched_at, :now)
  FROM (SELECT id, "limit" AS limit_name FROM jsonb_to_recordset(:batch::jsonb) AS b(id text, "limit" text)) r
  WHERE t.id = ANY(ARRAY[r.id]) AND t.status || '' = 'pending'
  RETURNING t.id, t.seq, t.touched_at, t.blocked_on)
INSERT INTO event (task_id, seq, at, type, data)
SELECT id, seq, touched_at, 'blocked', json_build_object('limit', blocked_on)::text FROM moved;
