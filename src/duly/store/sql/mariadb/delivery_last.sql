-- The latest delivery to each target of a task that was sent or is past recall.
SELECT max(d.id) FROM JSON_TABLE(:batch, '$[*]'
  COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id')) b
STRAIGHT_JOIN delivery d FORCE INDEX (delivery_task) ON d.task_id = b.id
WHERE d.subscribed = 0 GROUP BY d.task_id, coalesce(d.chain, d.channel), coalesce(d.chain, d.target)
HAVING sum(d.status = 'held' OR (d.status = 'pending' AND d.body IS NULL)) = 0;
