-- Which writes of a batch still own their task: same attempt, still running. All others are refused.
SELECT t.id, t.attempt, t.seq
FROM jsonb_to_recordset(:batch::jsonb) AS b(id text, attempt int) JOIN task t ON t.id = ANY(ARRAY[b.id])
WHERE t.attempt = b.attempt AND t.status || '' = 'running' ORDER BY b.id COLLATE "C" FOR UPDATE OF t;
