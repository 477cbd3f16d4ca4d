-- Moves each task from the state that was read to the next; another attempt or state changes nothing.
-- Back to pending it stands at the queue's head. One statement: the batch is read once.
WITH r AS MATERIALIZED (SELECT * FROM jsonb_to_recordset(:batch::jsonb) AS b(id text, attempt int, source text,
  status text, outcome text, wait_kind text, due_at bigint, retry_count int, exhausted int, error_code text,
  error text, completed_at bigint, seq int, loss_count int, deaths int, suspect int, reset int)),
moved AS (
  UPDATE task t SET status = r.status, worker_id = NULL, wait_kind = r.wait_kind, blocked_on = NULL, due_at = r.due_at,
    retry_count = r.retry_count, exhausted = r.exhausted, error_code = r.error_code, error = r.error,
    completed_at = r.completed_at, expires_at = r.completed_at + coalesce(t.result_ttl_ms, :retention), seq = r.seq,
    loss_count = r.loss_count, deaths = r.deaths, suspect = r.suspect,
    touched_at = greatest(t.touched_at, :now),
    progress = CASE WHEN r.status = 'completed' THEN 1.0 WHEN r.reset = 1 THEN NULL ELSE t.progress END,
    cancel_requested_at = CASE WHEN r.reset = 1 THEN NULL ELSE t.cancel_requested_at END,
    started_at = CASE WHEN r.reset = 1 THEN NULL ELSE t.started_at END,
    deadline_at = CASE WHEN r.reset = 1 THEN NULL ELSE t.deadline_at END,
    unique_key = CASE WHEN r.completed_at IS NULL THEN t.unique_key END,
    fair_at = CASE WHEN r.status <> 'pending' THEN t.fair_at ELSE coalesce((SELECT h.fair_at FROM task h
      WHERE h.status = 'pending' AND h.queue = t.queue AND h.suspect = 0 AND h.rank = t.rank
      AND h.fair_at >= coalesce((:places::jsonb->t.queue->>t.rank - 1)::bigint, 0)
      ORDER BY h.fair_at LIMIT 1), 0) END
  FROM r WHERE t.id = ANY(ARRAY[r.id]) AND t.attempt = r.attempt AND t.status || '' = r.source),
closed AS (
  UPDATE attempt a SET ended_at = :now, outcome = r.outcome, error_code = r.error_code, error = r.error
  FROM r WHERE a.task_id = ANY(ARRAY[r.id]) AND a.attempt = r.attempt AND a.ended_at IS NULL),
silenced AS (DELETE FROM partial WHERE task_id = ANY(ARRAY(SELECT id FROM r)))
UPDATE delivery SET status = 'pending', due_at = :now
WHERE task_id = ANY(ARRAY(SELECT id FROM r WHERE completed_at IS NOT NULL)) AND status || '' = 'held';
