-- Records how a send ended, only for the attempt that made it; of a chain, where it goes next.
UPDATE JSON_TABLE(:batch, '$[*]' COLUMNS (
  id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  status VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.status',
  attempt INT PATH '$.attempt', due_at BIGINT PATH '$.due_at', code INT PATH '$.code',
  error LONGTEXT CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.error',
  outcome VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.outcome',
  log LONGTEXT CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.log', step INT PATH '$.step',
  channel VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.channel',
  target LONGTEXT CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.target',
  endpoint VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.endpoint')) r
STRAIGHT_JOIN delivery d FORCE INDEX (PRIMARY) ON d.id = r.id
SET d.status = r.status, d.due_at = r.due_at, d.worker_id = NULL, d.last_code = r.code,
  d.last_error = r.error, d.delivered_at = CASE WHEN r.status = 'delivered' THEN :now END,
  d.outcome = r.outcome, d.log = coalesce(r.log, d.log), d.channel = coalesce(r.channel, d.channel),
  d.target = coalesce(r.target, d.target), d.step = coalesce(r.step, d.step),
  d.body = if(r.step IS NULL, d.body, NULL), d.began = if(r.step IS NULL, d.began, d.attempt),
  d.endpoint_id = if(r.step IS NULL, d.endpoint_id, r.endpoint)
WHERE d.attempt = r.attempt AND d.status = 'sending';
