-- Hands back deliveries whose session has ended; they are sent again, with the same id.
UPDATE delivery SET status = 'pending', due_at = :now, worker_id = NULL
WHERE status = 'sending'
  AND EXISTS (SELECT 1 FROM worker w WHERE w.id = delivery.worker_id AND w.ended_at IS NOT NULL);
