-- The inputs of a batch that stand as text in one part.
SELECT task_id, text, data FROM json_each(:batch) b
CROSS JOIN task_data d ON d.task_id = b.value AND d.kind = 'input' AND d.part = 0 WHERE d.text IS NOT NULL;
