-- The next tasks that wait for room in one limit.
SELECT id FROM task WHERE status = 'blocked' AND blocked_on = :on ORDER BY rank, fair_at, id LIMIT :most;
