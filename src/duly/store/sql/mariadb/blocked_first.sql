-- Of each limit the next task that waits for room in it, locked; those that others have locked are passed by.
SELECT t.blocked_on, t.id
FROM (SELECT b.name, (SELECT f.id FROM task f FORCE INDEX (task_blocked) WHERE f.status = 'blocked'
    AND f.blocked_on = b.name ORDER BY f.`rank`, f.fair_at, f.id LIMIT 1) AS id
  FROM JSON_TABLE(:batch, '$[*]' COLUMNS (name VARCHAR(255) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b LIMIT 1000000) o
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = o.id
WHERE t.status = 'blocked' AND t.blocked_on = o.name FOR UPDATE SKIP LOCKED;
