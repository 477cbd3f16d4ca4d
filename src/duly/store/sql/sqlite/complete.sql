-- Ends each task whose running attempt completed; another attempt or state changes nothing.
-- What nearly every finish is, apart from transition.sql: two thirds of that one's time is reading its columns.
WITH b AS MATERIALIZED (SELECT value AS r FROM json_each(:batch))
UPDATE task SET status = 'completed', worker_id = NULL, wait_kind = NULL, due_at = NULL, exhausted = 0,
  error_code = NULL, error = NULL, completed_at = :now, expires_at = :expires, seq = r->>'seq', deaths = 0,
  suspect = 0, touched_at = max(touched_at, :now), progress = 1.0, unique_key = NULL
FROM b WHERE task.id = r->>'id' AND task.attempt = r->>'attempt' AND +task.status = 'running';
WITH b AS MATERIALIZED (SELECT value AS r FROM json_each(:batch))
UPDATE attempt SET ended_at = :now, outcome = 'completed', error_code = NULL, error = NULL
FROM b WHERE attempt.task_id = r->>'id' AND attempt.attempt = r->>'attempt' AND attempt.ended_at IS NULL;
DELETE FROM partial WHERE task_id IN (SELECT value FROM json_each(:ids));
UPDATE delivery SET status = 'pending', due_at = :now WHERE status = 'held' AND task_id IN
  (SELECT value FROM json_each(:ids));
