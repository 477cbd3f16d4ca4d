-- What earlier rounds of a task remember, in one row: that is quicker than a row for each, for every driver.
SELECT CAST(coalesce(json_agg(json_build_array(created_at, name, n, digest, attempt, duration_ms, waits_for, due_at, taken, children, eager)), '[]') AS text)
FROM step WHERE task_id = :id;
