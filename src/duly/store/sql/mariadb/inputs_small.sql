-- The inputs of a batch that stand as text in one part.
SELECT d.task_id, d.text, d.data FROM JSON_TABLE(:batch, '$[*]'
  COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
STRAIGHT_JOIN task_data d FORCE INDEX (PRIMARY) ON d.task_id = b.id AND d.kind = 'input' AND d.part = 0
WHERE d.text IS NOT NULL;
