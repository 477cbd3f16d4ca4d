-- Gives these due deliveries to this session while it lives; attempt + 1 is their fence.
WITH alive AS MATERIALIZED (SELECT id FROM worker WHERE id = :session AND ended_at IS NULL FOR KEY SHARE),
mine AS MATERIALIZED (
  SELECT d.id FROM delivery d WHERE d.id = ANY(ARRAY(SELECT jsonb_array_elements_text(:batch::jsonb)))
    AND d.status || '' = 'pending' AND d.due_at + 0 <= :now AND EXISTS (SELECT 1 FROM alive) ORDER BY d.id FOR UPDATE OF d SKIP LOCKED)
UPDATE delivery d SET status = 'sending', attempt = d.attempt + 1, worker_id = :session, due_at = NULL
FROM mine WHERE d.id = ANY(ARRAY[mine.id])
RETURNING d.id, d.task_id, d.channel, d.target, d.attempt, d.body,
  d.log, d.chain, d.step, d.began, d.subscribed;
