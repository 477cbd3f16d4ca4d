-- Tasks that run under one session, with the attempt that it should know.
SELECT id, attempt FROM task INDEXED BY task_held WHERE status = 'running' AND worker_id = :session ORDER BY id;
