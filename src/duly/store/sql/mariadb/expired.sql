-- The next ended tasks behind a place in the order in which their time ends, at most :limit; no lock.
-- The rows are looked up once their ids are known: else a planner may find the sort cheaper than the index.
SELECT t.id, t.expires_at, t.completed_at, t.task_type
FROM (SELECT id, expires_at FROM task FORCE INDEX (task_expiry)
  WHERE expires_at BETWEEN :at AND :until AND (expires_at > :at OR id > :id)
  ORDER BY expires_at, id LIMIT :limit) o
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = o.id ORDER BY o.expires_at, o.id;
