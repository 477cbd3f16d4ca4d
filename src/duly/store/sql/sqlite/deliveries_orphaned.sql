-- Hands back deliveries whose session has ended; they are sent again, with the same id: what became of the send
-- is not known.
-- One that told nothing yet, of a task that was meanwhile retried, is over: a successor waits for the new end.
UPDATE delivery SET worker_id = NULL, outcome = 'unknown', (status, due_at, last_error) = (
  SELECT CASE WHEN superseded THEN 'dead' ELSE 'pending' END, CASE WHEN superseded THEN NULL ELSE :now END,
    CASE WHEN superseded THEN 'the task was retried before this was sent' ELSE delivery.last_error END
  FROM (SELECT delivery.body IS NULL AND t.completed_at IS NULL AS superseded FROM task t
    WHERE t.id = delivery.task_id))
WHERE status = 'sending'
  AND EXISTS (SELECT 1 FROM worker w WHERE w.id = delivery.worker_id AND w.ended_at IS NOT NULL);
