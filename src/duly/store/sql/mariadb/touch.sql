-- Advances a running task's timeline number, progress and code version, only for the attempt that runs it.
UPDATE JSON_TABLE(:batch, '$[*]' COLUMNS (
  id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  attempt INT PATH '$.attempt', seq INT PATH '$.seq', progress DOUBLE PATH '$.progress',
  version VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.version',
  message LONGTEXT CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.message')) r
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = r.id
SET t.seq = r.seq, t.touched_at = greatest(t.touched_at, :now), t.progress = coalesce(r.progress, t.progress),
  t.progress_message = coalesce(r.message, t.progress_message), t.code_version = coalesce(r.version, t.code_version)
WHERE t.attempt = r.attempt AND t.status = 'running';
