-- Moves each task from the state that was read to the next; another attempt or state changes nothing.
-- Back to pending it stands at the queue's head. MATERIALIZED: else each use of a value writes its text anew.
WITH b AS MATERIALIZED (SELECT value AS r FROM json_each(:batch))
UPDATE task SET status = r->>'status', worker_id = NULL, wait_kind = r->>'wait_kind', blocked_on = NULL, due_at = r->>'due_at',
  retry_count = r->>'retry_count', exhausted = r->>'exhausted', error_code = r->>'error_code', error = r->>'error',
  completed_at = r->>'completed_at', expires_at = r->>'completed_at' + coalesce(result_ttl_ms, :retention),
  seq = r->>'seq', loss_count = r->>'loss_count', deaths = r->>'deaths', suspect = r->>'suspect',
  touched_at = max(touched_at, :now),
  progress = CASE WHEN r->>'status' = 'completed' THEN 1.0 WHEN r->>'reset' THEN NULL ELSE progress END,
  cancel_requested_at = CASE WHEN r->>'reset' THEN NULL ELSE cancel_requested_at END,
  started_at = CASE WHEN r->>'reset' THEN NULL ELSE started_at END,
  deadline_at = CASE WHEN r->>'reset' THEN NULL ELSE deadline_at END,
  unique_key = CASE WHEN r->>'completed_at' IS NULL THEN unique_key END,
  fair_at = CASE WHEN r->>'status' <> 'pending' THEN fair_at ELSE coalesce((SELECT min(h.fair_at) FROM task h
    WHERE h.status = 'pending' AND h.queue = task.queue AND h.suspect = 0 AND h.rank = task.rank), 0) END
FROM b WHERE task.id = r->>'id' AND task.attempt = r->>'attempt' AND +task.status = r->>'source';
WITH b AS MATERIALIZED (SELECT value AS r FROM json_each(:batch))
UPDATE attempt SET ended_at = :now, outcome = r->>'outcome', error_code = r->>'error_code', error = r->>'error'
FROM b WHERE attempt.task_id = r->>'id' AND attempt.attempt = r->>'attempt' AND attempt.ended_at IS NULL;
DELETE FROM partial WHERE task_id IN (SELECT value FROM json_each(:ids));
UPDATE delivery SET status = 'pending', due_at = :now WHERE status = 'held' AND task_id IN
  (SELECT value FROM json_each(:ended));
