-- Notes tasks whose end the families have not been told of.
INSERT INTO bereft (task_id)
SELECT b.id FROM JSON_TABLE(:batch, '$[*]' COLUMNS (
  id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id')) b
ON DUPLICATE KEY UPDATE task_id = bereft.task_id;
