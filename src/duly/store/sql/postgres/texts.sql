-- Keeps small bodies as text; the same body again replaces it.
INSERT INTO task_data (task_id, kind, part, text)
SELECT id, kind, 0, text FROM jsonb_to_recordset(:batch::jsonb) AS b(id text, kind text, text text)
ON CONFLICT (task_id, kind, part) DO UPDATE SET text = excluded.text, data = NULL;
