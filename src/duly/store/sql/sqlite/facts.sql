-- What a decision about a task rests on, read under the write lock.
SELECT t.id, t.status, t.attempt, t.seq, t.retry_count, t.cancel_requested_at, t.deadline_at, t.worker_id,
  t.loss_count, t.deaths, t.suspect, t.due_at, t.parent_id, t.holds, t.unique_key
FROM json_each(:batch) b CROSS JOIN task t ON t.id = b.value ORDER BY b.key;
