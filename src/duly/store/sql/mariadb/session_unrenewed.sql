-- Those whose lease still ends when a reader saw it end, if that is given: they are locked, not to be renewed now.
SELECT w.id
FROM (SELECT b.id, b.until FROM JSON_TABLE(:batch, '$[*]' COLUMNS (
    id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id', until BIGINT PATH '$.until')) b
  ORDER BY b.id LIMIT 1000000) o
STRAIGHT_JOIN worker w FORCE INDEX (PRIMARY) ON w.id = o.id
WHERE w.lease_until = coalesce(o.until, w.lease_until) FOR UPDATE;
