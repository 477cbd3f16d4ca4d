-- Writes what new tasks bring along; then tells, for each task of a batch in order, which row now stands for
-- it, and that row's body: as it is now, even in a caller's transaction with an older snapshot.
INSERT INTO task_tag (task_id, tag)
SELECT t.id, b.tag FROM JSON_TABLE(:batch, '$[*]' COLUMNS (
  id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  NESTED PATH '$.tags[*]' COLUMNS (tag VARCHAR(64) CHARSET utf8mb4 PATH '$'))) b
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = b.id WHERE b.tag IS NOT NULL
ON DUPLICATE KEY UPDATE task_id = task_tag.task_id;
INSERT INTO delivery (id, task_id, channel, target, status, created_at, endpoint_id, chain)
SELECT d.delivery, t.id, d.channel, d.target, 'held', :now, d.endpoint, d.chain FROM JSON_TABLE(:batch, '$[*]' COLUMNS (
  id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id', NESTED PATH '$.deliver[*]' COLUMNS (
    delivery VARCHAR(36) CHARSET utf8mb4 PATH '$.id', channel VARCHAR(36) CHARSET utf8mb4 PATH '$.channel',
    target LONGTEXT CHARSET utf8mb4 PATH '$.target', endpoint VARCHAR(36) CHARSET utf8mb4 PATH '$.endpoint',
    chain LONGTEXT CHARSET utf8mb4 PATH '$.chain'))) d
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = d.id
WHERE d.delivery IS NOT NULL AND NOT EXISTS (SELECT 1 FROM delivery o WHERE o.task_id = t.id)
ON DUPLICATE KEY UPDATE id = delivery.id;
SELECT coalesce(own.id, same.id, uniq.id), own.id IS NOT NULL, coalesce(own.body_hash, same.body_hash)
FROM JSON_TABLE(:batch, '$[*]' COLUMNS (place FOR ORDINALITY,
  id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  tenant VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.tenant',
  owner VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.owner',
  idempotency_key VARCHAR(200) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.idempotency_key',
  unique_key VARCHAR(400) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.unique_key')) b
LEFT JOIN task own FORCE INDEX (PRIMARY) ON own.id = b.id
LEFT JOIN task same FORCE INDEX (task_idempotency) ON own.id IS NULL AND same.tenant = b.tenant
  AND same.owner = b.owner AND same.idempotency_key = b.idempotency_key
LEFT JOIN task uniq FORCE INDEX (task_unique) ON own.id IS NULL AND same.id IS NULL
  AND uniq.unique_key = b.unique_key
ORDER BY b.place LOCK IN SHARE MODE;
