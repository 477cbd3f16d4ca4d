-- Hands back deliveries whose session has ended; they are sent again, with the same id: what became of the send
-- is not known.
-- One that told nothing yet, of a task that was meanwhile retried, is over: a successor waits for the new end.
UPDATE delivery d SET worker_id = NULL, outcome = 'unknown',
  status = CASE WHEN d.body IS NULL AND t.completed_at IS NULL THEN 'dead' ELSE 'pending' END,
  due_at = CASE WHEN d.body IS NULL AND t.completed_at IS NULL THEN NULL ELSE :now END,
  last_error = CASE WHEN d.body IS NULL AND t.completed_at IS NULL
    THEN 'the task was retried before this was sent' ELSE d.last_error END
FROM task t, worker w
WHERE d.status = 'sending' AND t.id = ANY(ARRAY[d.task_id]) AND w.id = ANY(ARRAY[d.worker_id])
  AND w.ended_at + 0 IS NOT NULL;
