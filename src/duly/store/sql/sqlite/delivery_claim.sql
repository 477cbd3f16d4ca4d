-- Gives these due deliveries to this session while it lives; attempt + 1 is their fence.
UPDATE delivery SET status = 'sending', attempt = attempt + 1, worker_id = :session, due_at = NULL
WHERE id IN (SELECT value FROM json_each(:batch)) AND +status = 'pending' AND due_at <= :now
  AND EXISTS (SELECT 1 FROM worker WHERE id = :session AND ended_at IS NULL)
RETURNING id, task_id, channel, target, attempt, body,
  log, chain, step, began, subscribed;
