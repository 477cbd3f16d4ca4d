-- Which of these queues have a pending task; one index probe per queue.
SELECT value FROM json_each(:batch) q
WHERE EXISTS (SELECT 1 FROM task WHERE status = 'pending' AND queue = q.value);
