-- Tasks that run under one session, with the attempt that it should know.
WITH held AS MATERIALIZED (SELECT id, attempt FROM task WHERE status = 'running' AND worker_id = :session)
SELECT id, attempt FROM held ORDER BY id;
