-- What earlier rounds of a task remember, in one row: that is quicker than a row for each, for every driver.
-- With `apart`, of the sleeps that are over only their numbers, by name.
SELECT NULL, CAST(coalesce(json_agg(json_build_array(created_at, name, n, digest, attempt, duration_ms, waits_for, due_at, taken, children, eager)), '[]') AS text)
FROM step WHERE task_id = :id AND NOT (
  :apart = 1 AND coalesce(waits_for = '' AND children IS NULL AND (taken IS NOT NULL OR due_at <= :now), false))
UNION ALL
SELECT name, CAST(json_agg(n) AS text)
FROM step WHERE task_id = :id AND :apart = 1
  AND waits_for = '' AND children IS NULL AND (taken IS NOT NULL OR due_at <= :now) GROUP BY name;
