-- Gives each pending task of the batch to this session, once; attempt + 1 is the new fence. With the input, if it
-- is small.
UPDATE JSON_TABLE(:batch, '$[*]'
  COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = b.id
SET t.status = 'running', t.attempt = t.attempt + 1, t.worker_id = :session, t.due_at = NULL,
  t.wait_kind = NULL, t.started_at = coalesce(t.started_at, :now), t.seq = t.seq + 1,
  t.touched_at = greatest(t.touched_at, :now),
  t.holds = nullif(JSON_UNQUOTE(JSON_EXTRACT(:holds, CONCAT('$."', t.id, '"'))), 'null')
WHERE t.status = 'pending';
INSERT INTO attempt (task_id, attempt, worker_id, started_at)
SELECT t.id, t.attempt, :session, :now FROM JSON_TABLE(:batch, '$[*]'
  COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = b.id WHERE t.worker_id = :session;
INSERT INTO event (task_id, seq, at, type, data)
SELECT t.id, t.seq, t.touched_at, 'started', JSON_OBJECT('attempt', t.attempt) FROM JSON_TABLE(:batch, '$[*]'
  COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = b.id WHERE t.worker_id = :session;
SELECT t.id, t.attempt, t.task_type, t.queue, t.tenant, t.owner, t.timeout_ms, t.deadline_at, t.retry_count,
  t.max_retries, t.metadata, t.parent_id, t.suspect, d.text
FROM JSON_TABLE(:batch, '$[*]' COLUMNS (place FOR ORDINALITY,
  id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = b.id
LEFT JOIN task_data d FORCE INDEX (PRIMARY) ON d.task_id = t.id AND d.kind = 'input' AND d.part = 0
WHERE t.worker_id = :session ORDER BY b.place;
