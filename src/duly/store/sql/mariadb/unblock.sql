-- Lets blocked tasks, which are locked, stand in line again: at the queue's head, looked up apart, for a table that
-- an UPDATE reads is locked.
INSERT INTO event (task_id, seq, at, type, data)
SELECT t.id, t.seq + 1, greatest(t.touched_at, :now), 'unblocked', JSON_OBJECT('limit', t.blocked_on)
FROM JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) r
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = r.id WHERE t.status = 'blocked';
SELECT JSON_OBJECTAGG(t.id, coalesce(CAST(nullif(JSON_UNQUOTE(JSON_EXTRACT(:places,
    CONCAT('$."', t.queue, '"[', t.`rank` - 1, ']'))), 'null') AS SIGNED), (SELECT h.fair_at FROM task h FORCE INDEX (task_claim) WHERE h.status = 'pending'
  AND h.queue = t.queue AND h.suspect = 0 AND h.`rank` = t.`rank` ORDER BY h.fair_at LIMIT 1), 0)) INTO @heads
FROM JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) r
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = r.id;
UPDATE JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) r
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = r.id
SET t.status = 'pending', t.blocked_on = NULL, t.seq = t.seq + 1, t.touched_at = greatest(t.touched_at, :now),
  t.fair_at = CAST(JSON_EXTRACT(@heads, CONCAT('$."', t.id, '"')) AS SIGNED)
WHERE t.status = 'blocked';
