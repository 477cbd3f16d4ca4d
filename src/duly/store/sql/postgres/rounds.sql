-- Forgets the attempts of a batch: a round that ended in a wait leaves none.
DELETE FROM attempt a USING jsonb_to_recordset(:batch::jsonb) AS r(id text, attempt int)
WHERE a.task_id = ANY(ARRAY[r.id]) AND a.attempt = r.attempt;
