-- After an operator's retry the answer is owed again: unsent deliveries wait. Whoever claims one now is waited for.
UPDATE JSON_TABLE(:batch, '$[*]'
  COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id')) b
STRAIGHT_JOIN delivery d FORCE INDEX (delivery_task) ON d.task_id = b.id
SET d.status = 'held', d.due_at = NULL
WHERE d.status = 'pending' AND d.body IS NULL AND d.subscribed = 0;
