-- After an operator's retry the answer is owed again: unsent deliveries wait. Whoever claims one now is waited for.
UPDATE delivery SET status = 'held', due_at = NULL
WHERE status = 'pending' AND body IS NULL AND subscribed = 0 AND task_id IN (SELECT value->>'id' FROM json_each(:batch));
