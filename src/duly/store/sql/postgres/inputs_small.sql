-- The inputs of a batch that stand as text in one part.
SELECT task_id, text, data FROM task_data
WHERE task_id = ANY(ARRAY(SELECT jsonb_array_elements_text(:batch::jsonb))) AND kind = 'input' AND part = 0
  AND text IS NOT NULL;
