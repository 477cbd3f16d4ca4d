-- Records how a send ended, only for the attempt that made it.
UPDATE JSON_TABLE(:batch, '$[*]' COLUMNS (
  id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  status VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.status',
  attempt INT PATH '$.attempt', due_at BIGINT PATH '$.due_at', code INT PATH '$.code',
  error LONGTEXT CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.error')) r
STRAIGHT_JOIN delivery d FORCE INDEX (PRIMARY) ON d.id = r.id
SET d.status = r.status, d.due_at = r.due_at, d.worker_id = NULL, d.last_code = r.code,
  d.last_error = r.error, d.delivered_at = CASE WHEN r.status = 'delivered' THEN :now END
WHERE d.attempt = r.attempt AND d.status = 'sending';
