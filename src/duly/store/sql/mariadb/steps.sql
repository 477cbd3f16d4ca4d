-- Remembers a step once: the first recorded value stands, and only what is new is answered. The fence holds
-- the tasks' locks, so what is new now is new in the next statement too.
SELECT b.id, b.name, b.n FROM JSON_TABLE(:batch, '$[*]' COLUMNS (n INT PATH '$.n',
  id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  name VARCHAR(100) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.name')) b
LEFT JOIN step s FORCE INDEX (PRIMARY) ON s.task_id = b.id AND s.name = b.name AND s.n = b.n
WHERE s.task_id IS NULL;
INSERT INTO step (task_id, name, n, attempt, digest, duration_ms, created_at, waits_for, due_at)
SELECT b.id, b.name, b.n, b.attempt, b.digest, b.duration_ms, :now, b.waits_for, b.due_at
FROM JSON_TABLE(:batch, '$[*]' COLUMNS (
  id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  name VARCHAR(100) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.name', n INT PATH '$.n',
  digest VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.digest',
  waits_for VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.waits_for', due_at BIGINT PATH '$.due_at',
  attempt INT PATH '$.attempt', duration_ms BIGINT PATH '$.duration_ms')) b
ON DUPLICATE KEY UPDATE task_id = step.task_id;
