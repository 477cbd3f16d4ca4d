-- What earlier rounds of a task remember, up to a thousand steps in a row: a driver written in Python takes longer
-- for a row than the server. All in one could be longer than a packet.
-- With `apart`, of the sleeps that are over only their numbers, by name.
SELECT NULL, JSON_ARRAYAGG(JSON_ARRAY(created_at, name, n, digest, attempt, duration_ms, waits_for, due_at, taken, children, eager))
FROM step WHERE task_id = :id AND NOT (
  :apart = 1 AND coalesce(waits_for = '' AND children IS NULL AND (taken IS NOT NULL OR due_at <= :now), false))
GROUP BY name, n DIV 1000
UNION ALL
SELECT name, JSON_ARRAYAGG(n)
FROM step WHERE task_id = :id AND :apart = 1
  AND waits_for = '' AND children IS NULL AND (taken IS NOT NULL OR due_at <= :now) GROUP BY name, n DIV 1000;
