-- Writes what became of limits that are locked.
UPDATE JSON_TABLE(:batch, '$[*]' COLUMNS (name VARCHAR(255) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.name',
  taken INT PATH '$.taken', tokens DOUBLE PATH '$.tokens', refilled_at BIGINT PATH '$.refilled_at',
  wake_at BIGINT PATH '$.wake_at')) r
STRAIGHT_JOIN limits l FORCE INDEX (PRIMARY) ON l.name = r.name
SET l.taken = r.taken, l.tokens = r.tokens, l.refilled_at = r.refilled_at, l.wake_at = r.wake_at, l.updated_at = :now;
