-- Deliveries that are being sent under one session, with the attempt that it should know.
WITH ours AS MATERIALIZED (SELECT id, attempt FROM delivery WHERE status = 'sending' AND worker_id = :session)
SELECT id, attempt FROM ours ORDER BY id;
