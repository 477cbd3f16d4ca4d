-- Keeps one part of a body; the same part again replaces it.
INSERT INTO task_data (task_id, kind, part, text, data) VALUES (?, ?, ?, ?, ?)
ON DUPLICATE KEY UPDATE text = VALUES(text), data = VALUES(data);
