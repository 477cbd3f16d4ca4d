-- What earlier rounds of a task remember, up to a thousand steps in a row: a driver written in Python takes longer
-- for a row than the server. All in one could be longer than a packet.
SELECT JSON_ARRAYAGG(JSON_ARRAY(created_at, name, n, digest, attempt, duration_ms, waits_for, due_at, taken, children, eager))
FROM step WHERE task_id = :id GROUP BY name, n DIV 1000;
