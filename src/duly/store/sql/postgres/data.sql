-- Keeps one part of a body; the same part again replaces it.
INSERT INTO task_data (task_id, kind, part, text, data) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (task_id, kind, part) DO UPDATE SET text = excluded.text, data = excluded.data;
