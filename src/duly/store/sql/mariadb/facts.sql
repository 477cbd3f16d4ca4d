-- What a decision about a task rests on; the rows are locked first, in the order of their keys, and with each its
-- parent's: a task that ends may wake that.
-- The inner LIMIT keeps that order: without one it would be dropped as of no use. An id that is too long is
-- cut here, and spaces at its end count for nothing: its length tells it from the task's own.
SELECT t.id, t.status, t.attempt, t.seq, t.retry_count, t.cancel_requested_at, t.deadline_at, t.worker_id,
  t.loss_count, t.deaths, t.suspect, t.due_at, t.parent_id, t.holds, t.unique_key
FROM (SELECT b.id FROM JSON_TABLE(:batch, '$[*]'
    COLUMNS (id VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
  UNION SELECT c.parent_id FROM JSON_TABLE(:batch, '$[*]'
    COLUMNS (id VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) r
  STRAIGHT_JOIN task c FORCE INDEX (PRIMARY) ON c.id = r.id WHERE c.parent_id IS NOT NULL
  ORDER BY id LIMIT 1000000) o
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = o.id AND length(t.id) = length(o.id)
FOR UPDATE;
