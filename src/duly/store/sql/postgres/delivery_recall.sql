-- After an operator's retry the answer is owed again: unsent deliveries wait. Whoever claims one now is waited for.
UPDATE delivery SET status = 'held', due_at = NULL
WHERE task_id = ANY(ARRAY(SELECT id FROM jsonb_to_recordset(:batch::jsonb) AS b(id text)))
  AND status || '' = 'pending' AND body IS NULL AND subscribed = 0;
