-- Keeps small bodies as text; the same body again replaces it.
INSERT INTO task_data (task_id, kind, part, text)
SELECT b.id, b.kind, 0, b.text FROM JSON_TABLE(:batch, '$[*]' COLUMNS (
  id VARCHAR(36) CHARSET utf8mb4 PATH '$.id', kind VARCHAR(200) CHARSET utf8mb4 PATH '$.kind',
  text LONGTEXT CHARSET utf8mb4 PATH '$.text')) b
ON DUPLICATE KEY UPDATE text = VALUES(text), data = NULL;
