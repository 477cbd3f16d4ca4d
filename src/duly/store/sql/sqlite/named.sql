-- Of the tasks that the batch names those that a claim may take: pending, due, no suspects, known to this worker.
SELECT t.id, t.rank, t.fair_at, t.suspect, t.task_type, t.limit_key, t.queue
FROM json_each(:batch) b CROSS JOIN task t ON t.id = b.value
WHERE +t.status = 'pending' AND t.suspect = 0 AND (t.due_at IS NULL OR t.due_at > :now)
  AND t.task_type || coalesce('@' || t.code_version, '') IN (SELECT value FROM json_each(:types))
ORDER BY b.key;
