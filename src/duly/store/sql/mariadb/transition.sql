-- Moves each task from the state that was read to the next; another attempt or state changes nothing.
-- Back to pending it stands at the queue's head, looked up apart: a table that an UPDATE reads is locked.
SELECT JSON_OBJECTAGG(t.id, coalesce(CAST(nullif(JSON_UNQUOTE(JSON_EXTRACT(:places,
    CONCAT('$."', t.queue, '"[', t.`rank` - 1, ']'))), 'null') AS SIGNED), (SELECT h.fair_at FROM task h FORCE INDEX (task_claim) WHERE h.status = 'pending'
  AND h.queue = t.queue AND h.suspect = 0 AND h.`rank` = t.`rank` ORDER BY h.fair_at LIMIT 1), 0)) INTO @heads
FROM JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  status VARCHAR(36) CHARSET utf8mb4 PATH '$.status')) r
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = r.id WHERE r.status = 'pending';
UPDATE JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  source VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.source', attempt INT PATH '$.attempt',
  status VARCHAR(36) CHARSET utf8mb4 PATH '$.status', due_at BIGINT PATH '$.due_at', seq INT PATH '$.seq',
  wait_kind VARCHAR(36) CHARSET utf8mb4 PATH '$.wait_kind', error LONGTEXT CHARSET utf8mb4 PATH '$.error',
  error_code VARCHAR(100) CHARSET utf8mb4 PATH '$.error_code', completed_at BIGINT PATH '$.completed_at',
  exhausted INT PATH '$.exhausted', suspect INT PATH '$.suspect',
  loss_count INT PATH '$.loss_count', deaths INT PATH '$.deaths', retry_count INT PATH '$.retry_count',
  reset INT PATH '$.reset')) r
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = r.id
SET t.status = r.status, t.worker_id = NULL, t.wait_kind = r.wait_kind, t.due_at = r.due_at, t.blocked_on = NULL,
  t.retry_count = r.retry_count, t.exhausted = r.exhausted, t.error_code = r.error_code, t.error = r.error,
  t.completed_at = r.completed_at, t.expires_at = r.completed_at + coalesce(t.result_ttl_ms, :retention), t.seq = r.seq,
  t.loss_count = r.loss_count, t.deaths = r.deaths, t.suspect = r.suspect, t.touched_at = greatest(t.touched_at, :now),
  t.progress = CASE WHEN r.status = 'completed' THEN 1.0 WHEN r.reset = 1 THEN NULL ELSE t.progress END,
  t.cancel_requested_at = if(r.reset = 1, NULL, t.cancel_requested_at),
  t.started_at = if(r.reset = 1, NULL, t.started_at), t.deadline_at = if(r.reset = 1, NULL, t.deadline_at),
  t.unique_key = if(r.completed_at IS NULL, t.unique_key, NULL), t.fair_at = if(r.status <> 'pending',
    t.fair_at, CAST(JSON_EXTRACT(@heads, CONCAT('$."', t.id, '"')) AS SIGNED))
WHERE t.attempt = r.attempt AND t.status = r.source;
UPDATE JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  outcome VARCHAR(36) CHARSET utf8mb4 PATH '$.outcome', error LONGTEXT CHARSET utf8mb4 PATH '$.error',
  error_code VARCHAR(100) CHARSET utf8mb4 PATH '$.error_code', attempt INT PATH '$.attempt')) r
STRAIGHT_JOIN attempt a FORCE INDEX (PRIMARY) ON a.task_id = r.id AND a.attempt = r.attempt
SET a.ended_at = :now, a.outcome = r.outcome, a.error_code = r.error_code, a.error = r.error
WHERE a.ended_at IS NULL;
DELETE p FROM JSON_TABLE(:batch, '$[*]'
  COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id')) r
STRAIGHT_JOIN partial p FORCE INDEX (PRIMARY) ON p.task_id = r.id;
UPDATE JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  completed_at BIGINT PATH '$.completed_at')) r
STRAIGHT_JOIN delivery d FORCE INDEX (delivery_task) ON d.task_id = r.id
SET d.status = 'pending', d.due_at = :now WHERE d.status = 'held' AND r.completed_at IS NOT NULL;
