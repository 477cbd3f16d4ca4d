-- Keeps small bodies as text; the same body again replaces it.
INSERT INTO task_data (task_id, kind, part, text)
SELECT value->>'id', value->>'kind', 0, value->>'text' FROM json_each(:batch) WHERE true
ON CONFLICT (task_id, kind, part) DO UPDATE SET text = excluded.text, data = NULL;
