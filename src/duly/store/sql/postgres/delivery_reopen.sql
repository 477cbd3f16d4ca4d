-- After an operator's retry the answer is owed again: unsent deliveries wait, sent ones get a successor.
UPDATE delivery SET status = 'held', due_at = NULL
WHERE task_id = ANY(ARRAY(SELECT id FROM jsonb_to_recordset(:batch::jsonb) AS b(id text)))
  AND status || '' = 'pending' AND body IS NULL AND subscribed = 0;
INSERT INTO delivery (id, task_id, channel, target, status, created_at, endpoint_id, chain)
SELECT n.id, d.task_id, coalesce(d.chain::jsonb->0->>'channel', d.channel),
  coalesce(d.chain::jsonb->0->>'target', d.target), 'held', :now,
  CASE WHEN d.chain IS NULL THEN d.endpoint_id ELSE d.chain::jsonb->0->>'endpoint' END, d.chain
FROM jsonb_to_recordset(:successors::jsonb) AS n(id text, "of" text) JOIN delivery d ON d.id = ANY(ARRAY[n."of"]);
