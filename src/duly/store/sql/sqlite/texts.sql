-- Keeps small bodies as text; the same body again replaces it.
INSERT INTO task_data (task_id, kind, part, text)
VALUES (:id, :kind, 0, :text)
ON CONFLICT (task_id, kind, part) DO UPDATE SET text = excluded.text, data = NULL;
