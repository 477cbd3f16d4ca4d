-- After an operator's retry the answer is owed again: unsent deliveries wait, sent ones get a successor.
UPDATE delivery SET status = 'held', due_at = NULL
WHERE status = 'pending' AND body IS NULL AND subscribed = 0 AND task_id IN (SELECT value->>'id' FROM json_each(:batch));
INSERT INTO delivery (id, task_id, channel, target, status, created_at, endpoint_id, chain)
SELECT n.value->>'id', d.task_id, coalesce(d.chain->>'$[0].channel', d.channel),
  coalesce(d.chain->>'$[0].target', d.target), 'held', :now,
  CASE WHEN d.chain IS NULL THEN d.endpoint_id ELSE d.chain->>'$[0].endpoint' END, d.chain
FROM json_each(:successors) n CROSS JOIN delivery d ON d.id = n.value->>'of';
