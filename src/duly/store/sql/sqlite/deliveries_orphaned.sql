-- Hands back deliveries whose session has ended; they are sent again, with the same id.
UPDATE delivery SET status = 'pending', due_at = :now, worker_id = NULL
WHERE status = 'sending' AND worker_id IN (SELECT id FROM worker WHERE ended_at IS NOT NULL);
