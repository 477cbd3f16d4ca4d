-- After an operator's retry the answer is owed again: unsent deliveries wait, sent ones get a successor.
UPDATE JSON_TABLE(:batch, '$[*]'
  COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id')) b
STRAIGHT_JOIN delivery d FORCE INDEX (delivery_task) ON d.task_id = b.id
SET d.status = 'held', d.due_at = NULL WHERE d.status = 'pending' AND d.body IS NULL;
INSERT INTO delivery (id, task_id, channel, target, status, created_at)
SELECT n.id, d.task_id, d.channel, d.target, 'held', :now
FROM JSON_TABLE(:successors, '$[*]' COLUMNS (
  id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  earlier VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.of')) n
STRAIGHT_JOIN delivery d FORCE INDEX (PRIMARY) ON d.id = n.earlier;
