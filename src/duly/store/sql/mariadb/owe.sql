-- Owes these ends to endpoints from now on, in the transaction that ends the tasks.
INSERT INTO delivery (id, task_id, channel, target, status, due_at, created_at, endpoint_id, subscribed)
SELECT b.id, b.task, 'endpoint', CONCAT('{"id":"', b.endpoint, '"}'), 'pending', :now, :now, b.endpoint, 1
FROM JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 PATH '$.id',
  task VARCHAR(36) CHARSET utf8mb4 PATH '$.task', endpoint VARCHAR(36) CHARSET utf8mb4 PATH '$.endpoint')) b;
