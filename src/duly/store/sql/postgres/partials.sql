-- Keeps streamed output in parts, until the task ends.
INSERT INTO partial (task_id, attempt, part, text)
SELECT id, attempt, part, text FROM jsonb_to_recordset(:batch::jsonb) AS b(id text, attempt int, part int, text text)
ON CONFLICT DO NOTHING;
