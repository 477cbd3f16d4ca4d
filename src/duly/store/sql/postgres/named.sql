-- Of the tasks that the batch names those that a claim may take, locked: pending, due, no suspects, known to this
-- worker. Those that others have locked are passed by.
SELECT t.id, t.rank, t.fair_at, t.suspect, t.task_type, t.limit_key, t.queue FROM task t
WHERE t.id = ANY(ARRAY(SELECT jsonb_array_elements_text(:batch::jsonb)))
  AND t.status || '' = 'pending' AND t.suspect + 0 = 0 AND (t.due_at IS NULL OR t.due_at > :now)
  AND t.task_type || coalesce('@' || t.code_version, '')
    = ANY(ARRAY(SELECT jsonb_array_elements_text(:types::jsonb)))
FOR UPDATE SKIP LOCKED;
