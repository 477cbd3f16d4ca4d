-- Which writes of a batch still own their task: same attempt, still running. All others are refused.
SELECT t.id, t.attempt, t.seq
FROM json_each(:batch) b CROSS JOIN task t ON t.id = b.value->>'id'
WHERE t.attempt = b.value->>'attempt' AND +t.status = 'running' ORDER BY b.key;
