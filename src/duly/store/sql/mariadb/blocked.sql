-- The next tasks that wait for room in one limit, locked; those that others have locked are passed by.
SELECT id FROM task FORCE INDEX (task_blocked) WHERE status = 'blocked' AND blocked_on = :on
ORDER BY `rank`, fair_at, id LIMIT :most FOR UPDATE SKIP LOCKED;
