-- Keeps streamed output in parts, until the task ends.
INSERT INTO partial (task_id, attempt, part, text)
SELECT b.id, b.attempt, b.part, b.text FROM JSON_TABLE(:batch, '$[*]' COLUMNS (
  id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  attempt INT PATH '$.attempt', part INT PATH '$.part',
  text LONGTEXT CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.text')) b
ON DUPLICATE KEY UPDATE task_id = partial.task_id;
