-- Ends each task whose running attempt completed; another attempt or state changes nothing.
-- What nearly every finish is, apart from transition.sql.
UPDATE JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  attempt INT PATH '$.attempt', seq INT PATH '$.seq')) r
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = r.id
SET t.status = 'completed', t.worker_id = NULL, t.wait_kind = NULL, t.due_at = NULL, t.exhausted = 0,
  t.error_code = NULL, t.error = NULL, t.completed_at = :now, t.expires_at = :expires, t.seq = r.seq, t.deaths = 0,
  t.suspect = 0, t.touched_at = greatest(t.touched_at, :now), t.progress = 1.0, t.unique_key = NULL
WHERE t.attempt = r.attempt AND t.status = 'running';
UPDATE JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  attempt INT PATH '$.attempt')) r
STRAIGHT_JOIN attempt a FORCE INDEX (PRIMARY) ON a.task_id = r.id AND a.attempt = r.attempt
SET a.ended_at = :now, a.outcome = 'completed', a.error_code = NULL, a.error = NULL WHERE a.ended_at IS NULL;
DELETE p FROM JSON_TABLE(:batch, '$[*]'
  COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id')) r
STRAIGHT_JOIN partial p FORCE INDEX (PRIMARY) ON p.task_id = r.id;
UPDATE JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id')) r
STRAIGHT_JOIN delivery d FORCE INDEX (delivery_task) ON d.task_id = r.id
SET d.status = 'pending', d.due_at = :now WHERE d.status = 'held';
