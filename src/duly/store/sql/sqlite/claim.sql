-- Gives each pending task of the batch to this session, once; attempt + 1 is the new fence. With the input, if it
-- is small.
UPDATE task SET status = 'running', attempt = attempt + 1, worker_id = :session, due_at = NULL, wait_kind = NULL, 
  holds = json_extract(:holds, '$."' || id || '"'),
  started_at = coalesce(started_at, :now), seq = seq + 1, touched_at = max(touched_at, :now)
WHERE id IN (SELECT value FROM json_each(:batch)) AND +status = 'pending';
INSERT INTO attempt (task_id, attempt, worker_id, started_at)
SELECT t.id, t.attempt, :session, :now FROM json_each(:batch) b CROSS JOIN task t ON t.id = b.value
WHERE t.worker_id = :session;
INSERT INTO event (task_id, seq, at, type, data)
SELECT t.id, t.seq, t.touched_at, 'started', json_object('attempt', t.attempt)
FROM json_each(:batch) b CROSS JOIN task t ON t.id = b.value WHERE t.worker_id = :session;
SELECT t.id, t.attempt, t.task_type, t.queue, t.tenant, t.owner, t.timeout_ms, t.deadline_at, t.retry_count,
  t.max_retries, t.metadata, t.parent_id, t.suspect, d.text
FROM json_each(:batch) b CROSS JOIN task t ON t.id = b.value
LEFT JOIN task_data d ON d.task_id = t.id AND d.kind = 'input' AND d.part = 0
WHERE t.worker_id = :session ORDER BY b.key;
