-- Ends each task of the batch whose running attempt completed, and answers those; all others are as they were.
-- What nearly every finish is, but of a task that may wake its parent. The fence is first and holds the locks, so all
-- that follows finds the same; the inner LIMIT keeps the locks' order: without one that would be dropped as of no use.
SELECT t.id, t.holds, EXISTS (SELECT 1 FROM endpoint e FORCE INDEX (endpoint_owner)
  WHERE e.tenant = t.tenant AND e.owner = t.owner AND e.enabled = 1) FROM (
  SELECT b.id, b.attempt FROM JSON_TABLE(:batch, '$[*]' COLUMNS (
    id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id', attempt INT PATH '$.attempt')) b
  ORDER BY b.id LIMIT 1000000) o STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = o.id
WHERE t.attempt = o.attempt AND t.status = 'running' AND t.parent_id IS NULL AND (t.holds IS NULL OR :limited = 1) FOR UPDATE;
INSERT INTO event (task_id, seq, at, type, data)
SELECT t.id, t.seq + 1, greatest(t.touched_at, :now), 'completed', JSON_OBJECT('attempt', t.attempt)
FROM JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  attempt INT PATH '$.attempt')) r STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = r.id
WHERE t.attempt = r.attempt AND t.status = 'running' AND t.parent_id IS NULL AND (t.holds IS NULL OR :limited = 1);
INSERT INTO task_data (task_id, kind, part, text) SELECT t.id, 'result', 0, r.result
FROM JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  attempt INT PATH '$.attempt', result LONGTEXT CHARSET utf8mb4 PATH '$.result')) r
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = r.id
WHERE t.attempt = r.attempt AND t.status = 'running' AND t.parent_id IS NULL AND (t.holds IS NULL OR :limited = 1) AND r.result IS NOT NULL
ON DUPLICATE KEY UPDATE text = VALUES(text), data = NULL;
DELETE p FROM JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  attempt INT PATH '$.attempt')) r
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = r.id
STRAIGHT_JOIN partial p FORCE INDEX (PRIMARY) ON p.task_id = t.id
WHERE t.attempt = r.attempt AND t.status = 'running' AND t.parent_id IS NULL AND (t.holds IS NULL OR :limited = 1);
UPDATE JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  attempt INT PATH '$.attempt')) r
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = r.id
STRAIGHT_JOIN delivery d FORCE INDEX (delivery_task) ON d.task_id = t.id
SET d.status = 'pending', d.due_at = :now
WHERE t.attempt = r.attempt AND t.status = 'running' AND t.parent_id IS NULL AND (t.holds IS NULL OR :limited = 1) AND d.status = 'held';
UPDATE JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  attempt INT PATH '$.attempt')) r
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = r.id
STRAIGHT_JOIN attempt a FORCE INDEX (PRIMARY) ON a.task_id = r.id AND a.attempt = r.attempt
SET t.status = 'completed', t.worker_id = NULL, t.wait_kind = NULL, t.due_at = NULL, t.exhausted = 0, t.error = NULL,
  t.error_code = NULL, t.completed_at = :now, t.expires_at = :now + coalesce(t.result_ttl_ms, :retention),
  t.seq = t.seq + 1, t.deaths = 0, t.suspect = 0, t.touched_at = greatest(t.touched_at, :now), t.progress = 1.0,
  t.unique_key = NULL, a.ended_at = :now, a.outcome = 'completed', a.error_code = NULL, a.error = NULL
WHERE t.attempt = r.attempt AND t.status = 'running' AND t.parent_id IS NULL AND (t.holds IS NULL OR :limited = 1);
