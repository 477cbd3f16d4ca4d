-- Ends each task whose running attempt completed; another attempt or state changes nothing.
-- What nearly every finish is, apart from transition.sql. One statement: the batch is read once.
WITH r AS MATERIALIZED (SELECT * FROM jsonb_to_recordset(:batch::jsonb) AS b(id text, attempt int, seq int)),
moved AS (
  UPDATE task t SET status = 'completed', worker_id = NULL, wait_kind = NULL, due_at = NULL, exhausted = 0,
    error_code = NULL, error = NULL, completed_at = :now, expires_at = :expires, seq = r.seq, deaths = 0,
    suspect = 0, touched_at = greatest(t.touched_at, :now), progress = 1.0, unique_key = NULL
  FROM r WHERE t.id = ANY(ARRAY[r.id]) AND t.attempt = r.attempt AND t.status || '' = 'running'),
closed AS (
  UPDATE attempt a SET ended_at = :now, outcome = 'completed', error_code = NULL, error = NULL
  FROM r WHERE a.task_id = ANY(ARRAY[r.id]) AND a.attempt = r.attempt AND a.ended_at IS NULL),
silenced AS (DELETE FROM partial WHERE task_id = ANY(ARRAY(SELECT id FROM r)))
UPDATE delivery SET status = 'pending', due_at = :now
WHERE task_id = ANY(ARRAY(SELECT id FROM r)) AND status || '' = 'held';
