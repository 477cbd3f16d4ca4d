-- Of the tasks that the batch names those that a claim may take, locked: pending, due, no suspects, known to this
-- worker. Those that others have locked are passed by.
SELECT t.id, t.`rank`, t.fair_at, t.suspect, t.task_type, t.limit_key, t.queue FROM JSON_TABLE(:batch, '$[*]'
  COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = b.id
WHERE t.status = 'pending' AND t.suspect = 0 AND (t.due_at IS NULL OR t.due_at > :now)
  AND JSON_CONTAINS(:types, JSON_QUOTE(CONCAT(t.task_type, coalesce(CONCAT('@', t.code_version), ''))))
FOR UPDATE SKIP LOCKED;
