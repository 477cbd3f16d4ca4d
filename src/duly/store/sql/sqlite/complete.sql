-- Ends each task of the batch whose running attempt completed, and answers those; all others are as they were.
-- What nearly every finish is; one that may wake a parent is not. The task itself is last: until then all that is
-- written joins the same fence.
INSERT INTO event (task_id, seq, at, type, data)
SELECT t.id, t.seq + 1, max(t.touched_at, :now), 'completed', json_object('attempt', t.attempt)
FROM json_each(:batch) b CROSS JOIN task t ON t.id = b.value->>'id'
WHERE t.attempt = b.value->>'attempt' AND +t.status = 'running' AND t.parent_id IS NULL
  AND (t.holds IS NULL OR :limited = 1);
INSERT INTO task_data (task_id, kind, part, text)
SELECT t.id, 'result', 0, b.value->>'result'
FROM json_each(:batch) b CROSS JOIN task t ON t.id = b.value->>'id'
WHERE t.attempt = b.value->>'attempt' AND +t.status = 'running' AND t.parent_id IS NULL
  AND (t.holds IS NULL OR :limited = 1)
  AND b.value->>'result' IS NOT NULL
ON CONFLICT (task_id, kind, part) DO UPDATE SET text = excluded.text, data = NULL;
DELETE FROM partial WHERE task_id IN (
  SELECT t.id FROM json_each(:batch) b CROSS JOIN task t ON t.id = b.value->>'id'
  WHERE t.attempt = b.value->>'attempt' AND +t.status = 'running' AND t.parent_id IS NULL
  AND (t.holds IS NULL OR :limited = 1));
UPDATE delivery SET status = 'pending', due_at = :now WHERE status = 'held' AND task_id IN (
  SELECT t.id FROM json_each(:batch) b CROSS JOIN task t ON t.id = b.value->>'id'
  WHERE t.attempt = b.value->>'attempt' AND +t.status = 'running' AND t.parent_id IS NULL
  AND (t.holds IS NULL OR :limited = 1));
-- An attempt that is not over is the one that runs.
WITH b AS MATERIALIZED (SELECT value AS r FROM json_each(:batch))
UPDATE attempt SET ended_at = :now, outcome = 'completed', error_code = NULL, error = NULL
FROM b, task t WHERE t.id = r->>'id' AND t.parent_id IS NULL AND (t.holds IS NULL OR :limited = 1)
  AND attempt.task_id = r->>'id' AND attempt.attempt = r->>'attempt' AND attempt.ended_at IS NULL;
WITH b AS MATERIALIZED (SELECT value AS r FROM json_each(:batch))
UPDATE task SET status = 'completed', worker_id = NULL, wait_kind = NULL, due_at = NULL, exhausted = 0,
  error_code = NULL, error = NULL, completed_at = :now, expires_at = :now + coalesce(result_ttl_ms, :retention),
  seq = seq + 1, deaths = 0, suspect = 0, touched_at = max(touched_at, :now), progress = 1.0, unique_key = NULL
FROM b WHERE task.id = r->>'id' AND task.attempt = r->>'attempt' AND +task.status = 'running' AND task.parent_id IS NULL
  AND (task.holds IS NULL OR :limited = 1)
RETURNING task.id, task.holds, EXISTS (SELECT 1 FROM endpoint e
  WHERE e.tenant = task.tenant AND e.owner = task.owner AND e.enabled = 1);
