-- Keeps streamed output in parts, until the task ends.
INSERT INTO partial (task_id, attempt, part, text)
SELECT b.value->>'id', b.value->>'attempt', b.value->>'part', b.value->>'text'
FROM json_each(:batch) b WHERE true ON CONFLICT DO NOTHING;
