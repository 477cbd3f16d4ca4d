-- Blocks the pending tasks of the batch, which are locked, on the limit that had no room for each.
UPDATE JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  `limit` VARCHAR(255) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.limit')) r
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = r.id
SET t.status = 'blocked', t.blocked_on = r.`limit`, t.seq = t.seq + 1, t.touched_at = greatest(t.touched_at, :now)
WHERE t.status = 'pending';
INSERT INTO event (task_id, seq, at, type, data)
SELECT t.id, t.seq, t.touched_at, 'blocked', JSON_OBJECT('limit', t.blocked_on)
FROM JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id')) r
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = r.id WHERE t.status = 'blocked';
