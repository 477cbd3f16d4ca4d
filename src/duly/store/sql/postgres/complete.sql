-- Ends each task of the batch whose running attempt completed, and answers those; all others are as they were.
-- What nearly every finish is, but of a task that may wake its parent, in one statement: all that is written comes
-- from the rows that the update took.
WITH moved AS (
  UPDATE task t SET status = 'completed', worker_id = NULL, wait_kind = NULL, due_at = NULL, exhausted = 0,
    error_code = NULL, error = NULL, completed_at = :now, expires_at = :now + coalesce(result_ttl_ms, :retention),
    seq = t.seq + 1, deaths = 0, suspect = 0, touched_at = greatest(t.touched_at, :now), progress = 1.0,
    unique_key = NULL
  FROM jsonb_to_recordset(:batch::jsonb) AS r(id text, attempt int, result text)
  WHERE t.id = ANY(ARRAY[r.id]) AND t.attempt = r.attempt AND t.status || '' = 'running'
    AND t.parent_id IS NULL AND (:limited = 1 OR (t.holds IS NULL AND NOT EXISTS (SELECT 1 FROM endpoint e
      WHERE e.tenant = t.tenant AND e.owner = t.owner AND e.enabled = 1)))
  RETURNING t.id, t.attempt, t.seq, t.touched_at, t.holds, t.tenant, t.owner, r.result),
told AS (INSERT INTO event (task_id, seq, at, type, data)
  SELECT id, seq, touched_at, 'completed', json_build_object('attempt', attempt)::text FROM moved),
kept AS (INSERT INTO task_data (task_id, kind, part, text)
  SELECT id, 'result', 0, result FROM moved WHERE result IS NOT NULL
  ON CONFLICT (task_id, kind, part) DO UPDATE SET text = excluded.text, data = NULL),
closed AS (UPDATE attempt a SET ended_at = :now, outcome = 'completed', error_code = NULL, error = NULL
  FROM moved WHERE a.task_id = ANY(ARRAY[moved.id]) AND a.attempt = moved.attempt AND a.ended_at IS NULL),
silenced AS (DELETE FROM partial WHERE task_id = ANY(ARRAY(SELECT id FROM moved))),
owed AS (UPDATE delivery SET status = 'pending', due_at = :now
  WHERE task_id = ANY(ARRAY(SELECT id FROM moved)) AND status || '' = 'held')
SELECT id, holds, EXISTS (SELECT 1 FROM endpoint e WHERE e.tenant = moved.tenant AND e.owner = moved.owner
  AND e.enabled = 1) FROM moved;
