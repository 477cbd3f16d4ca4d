-- After an operator's retry: each of these deliveries, which was sent or is being sent, gets a successor.
INSERT INTO delivery (id, task_id, channel, target, status, created_at, endpoint_id, chain)
SELECT n.id, d.task_id, coalesce(d.chain::jsonb->0->>'channel', d.channel),
  coalesce(d.chain::jsonb->0->>'target', d.target), 'held', :now,
  CASE WHEN d.chain IS NULL THEN d.endpoint_id ELSE d.chain::jsonb->0->>'endpoint' END, d.chain
FROM jsonb_to_recordset(:successors::jsonb) AS n(id text, "of" text) JOIN delivery d ON d.id = ANY(ARRAY[n."of"]);
