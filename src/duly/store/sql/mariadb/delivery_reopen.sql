-- After an operator's retry: each of these deliveries, which was sent or is being sent, gets a successor.
INSERT INTO delivery (id, task_id, channel, target, status, created_at, endpoint_id, chain)
SELECT n.id, d.task_id, coalesce(JSON_VALUE(d.chain, '$[0].channel'), d.channel),
  coalesce(JSON_VALUE(d.chain, '$[0].target'), d.target), 'held', :now,
  if(d.chain IS NULL, d.endpoint_id, JSON_VALUE(d.chain, '$[0].endpoint')), d.chain
FROM JSON_TABLE(:successors, '$[*]' COLUMNS (
  id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  earlier VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.of')) n
STRAIGHT_JOIN delivery d FORCE INDEX (PRIMARY) ON d.id = n.earlier;
