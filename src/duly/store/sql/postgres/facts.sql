-- What a decision about a task rests on; the rows are locked first, in the order of their keys, and with each its
-- parent's: a task that ends may wake that.
SELECT t.id, t.status, t.attempt, t.seq, t.retry_count, t.cancel_requested_at, t.deadline_at, t.worker_id,
  t.loss_count, t.deaths, t.suspect, t.due_at, t.parent_id, t.holds, t.unique_key
FROM task t WHERE t.id = ANY(ARRAY(SELECT jsonb_array_elements_text(:batch::jsonb) UNION ALL
  SELECT c.parent_id FROM task c WHERE c.id = ANY(ARRAY(SELECT jsonb_array_elements_text(:batch::jsonb)))
    AND c.parent_id IS NOT NULL)) ORDER BY t.id FOR UPDATE;
