-- After an operator's retry the answer is owed again: unsent deliveries wait, sent ones get a successor.
UPDATE JSON_TABLE(:batch, '$[*]'
  COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id')) b
STRAIGHT_JOIN delivery d FORCE INDEX (delivery_task) ON d.task_id = b.id
SET d.status = 'held', d.due_at = NULL 
WHERE d.status = 'pending' AND d.body IS NULL AND d.subscribed = 0;
INSERT INTO delivery (id, task_id, channel, target, status, created_at, endpoint_id, chain)
SELECT n.id, d.task_id, coalesce(JSON_VALUE(d.chain, '$[0].channel'), d.channel),
  coalesce(JSON_VALUE(d.chain, '$[0].target'), d.target), 'held', :now,
  if(d.chain IS NULL, d.endpoint_id, JSON_VALUE(d.chain, '$[0].endpoint')), d.chain
FROM JSON_TABLE(:successors, '$[*]' COLUMNS (
  id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  earlier VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.of')) n
STRAIGHT_JOIN delivery d FORCE INDEX (PRIMARY) ON d.id = n.earlier;
