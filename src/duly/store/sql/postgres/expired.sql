-- The next ended tasks behind a place in the order in which their time ends, at most :limit; no lock.
SELECT id, expires_at, completed_at, task_type FROM task
WHERE expires_at BETWEEN :at AND :until AND (expires_at > :at OR id > :id)
ORDER BY expires_at, id LIMIT :limit;
