-- Lets blocked tasks, which are locked, stand in line again: at the queue's head.
WITH b AS MATERIALIZED (SELECT t.id, t.blocked_on FROM jsonb_array_elements_text(:batch::jsonb) AS r(id)
  CROSS JOIN LATERAL (SELECT id, blocked_on FROM task WHERE id = ANY(ARRAY[r.id])) t),
moved AS (
  UPDATE task t SET status = 'pending', blocked_on = NULL, seq = t.seq + 1,
    touched_at = greatest(t.touched_at, :now), fair_at = coalesce((SELECT h.fair_at FROM task h
      WHERE h.status = 'pending' AND h.queue = t.queue AND h.suspect = 0 AND h.rank = t.rank
      AND h.fair_at >= coalesce((:places::jsonb->t.queue->>t.rank - 1)::bigint, 0)
      ORDER BY h.fair_at LIMIT 1), 0)
  FROM b WHERE t.id = ANY(ARRAY[b.id]) AND t.status || '' = 'blocked'
  RETURNING t.id, t.seq, t.touched_at, b.blocked_on)
INSERT INTO event (task_id, seq, at, type, data)
SELECT id, seq, touched_at, 'unblocked', json_build_object('limit', blocked_on)::text FROM moved;
