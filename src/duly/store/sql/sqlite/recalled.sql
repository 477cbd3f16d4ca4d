-- What earlier rounds of a task remember, in one row: that is quicker than a row for each, for every driver.
SELECT json_group_array(json_array(created_at, name, n, digest, attempt, duration_ms, waits_for, due_at, taken, children, eager))
FROM step WHERE task_id = :id;
