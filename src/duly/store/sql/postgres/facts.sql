-- What a decision about a task rests on; the rows are locked first, in the order of their keys.
SELECT t.id, t.status, t.attempt, t.seq, t.retry_count, t.cancel_requested_at, t.deadline_at, t.worker_id,
  t.loss_count, t.deaths, t.suspect, t.due_at
FROM task t WHERE t.id = ANY(ARRAY(SELECT jsonb_array_elements_text(:batch::jsonb))) ORDER BY t.id FOR UPDATE;
