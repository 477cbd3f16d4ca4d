-- Accepts each task at most once: a living idempotency key, a unique key or the same id leaves the first row. A key
-- older than a day is free again. (Tags and deliveries of new tasks are written by submitted.sql.)
SELECT JSON_ARRAYAGG(t.id) INTO @stale FROM JSON_TABLE(:keyed, '$[*]' COLUMNS (
  tenant VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.tenant',
  owner VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.owner',
  idempotency_key VARCHAR(200) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.idempotency_key')) b
STRAIGHT_JOIN task t FORCE INDEX (task_idempotency) ON t.tenant = b.tenant AND t.owner = b.owner
  AND t.idempotency_key = b.idempotency_key WHERE t.created_at < :now - :key_ttl;
UPDATE JSON_TABLE(@stale, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = b.id SET t.idempotency_key = NULL;
-- The ticket: behind the queue's head and behind the owner's own last ticket, whichever is later; by weight.
INSERT INTO task (id, task_type, queue, tenant, owner, status, `rank`, fair_at, due_at, max_retries,
  timeout_ms, result_ttl_ms, deadline_at, idempotency_key, body_hash, unique_key, metadata, limit_key, touched_at, created_at)
SELECT id, task_type, queue, tenant, owner, status, `rank`,
  if(status <> 'pending', 0, place * (1000 DIV coalesce((SELECT s.weight FROM share s WHERE s.tenant = b.tenant
      AND s.owner = b.owner), (SELECT s.weight FROM share s WHERE s.tenant = b.tenant AND s.owner = ''), 1)) + greatest(
    CAST(nullif(JSON_UNQUOTE(JSON_EXTRACT(:places, CONCAT('$."', queue, '"[', `rank` - 1, ']'))), 'null') AS SIGNED),
    coalesce((SELECT o.fair_at FROM task o FORCE INDEX (task_ticket) WHERE o.status = 'pending' AND o.queue = b.queue
      AND o.`rank` = b.`rank` AND o.tenant = b.tenant AND o.owner = b.owner ORDER BY o.fair_at DESC LIMIT 1), 0))),
  due_at, max_retries, timeout_ms, result_ttl_ms, deadline_at, idempotency_key, body_hash, unique_key, metadata, limit_key,
  :now, :now FROM (SELECT r.*, row_number() OVER (PARTITION BY queue, `rank`, tenant, owner, status ORDER BY id) AS place
  FROM JSON_TABLE(:batch, '$[*]' COLUMNS (due_at BIGINT PATH '$.due_at', `rank` SMALLINT PATH '$.rank',
    queue VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.queue',
    tenant VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.tenant',
    owner VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.owner',
    NESTED PATH '$.items[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 PATH '$[0]'),
    status VARCHAR(36) CHARSET utf8mb4 PATH '$.status', max_retries INT PATH '$.max_retries',
    task_type VARCHAR(100) CHARSET utf8mb4 PATH '$.task_type', timeout_ms BIGINT PATH '$.timeout_ms',
    idempotency_key VARCHAR(200) CHARSET utf8mb4 PATH '$.idempotency_key', deadline_at BIGINT PATH '$.deadline_at',
    result_ttl_ms BIGINT PATH '$.result_ttl_ms', body_hash VARCHAR(64) CHARSET utf8mb4 PATH '$.body_hash',
    limit_key VARCHAR(255) CHARSET utf8mb4 PATH '$.limit_key', metadata LONGTEXT CHARSET utf8mb4 PATH '$.metadata',
    unique_key VARCHAR(400) CHARSET utf8mb4 PATH '$.unique_key')) r) b
ON DUPLICATE KEY UPDATE id = task.id;
INSERT INTO event (task_id, seq, at, type, data)
SELECT t.id, 1, :now, 'accepted', JSON_OBJECT('status', t.status) FROM JSON_TABLE(:ids, '$[*]'
  COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = b.id ON DUPLICATE KEY UPDATE task_id = event.task_id;
INSERT INTO task_data (task_id, kind, part, text) SELECT t.id, 'input', 0, b.input FROM JSON_TABLE(:batch, '$[*].items[*]' COLUMNS (
  id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]', input LONGTEXT CHARSET utf8mb4 PATH '$[1]')) b
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = b.id WHERE b.input IS NOT NULL ON DUPLICATE KEY UPDATE task_id = task_data.task_id;
