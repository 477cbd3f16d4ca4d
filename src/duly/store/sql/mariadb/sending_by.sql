-- Deliveries that are being sent under one session, with the attempt that it should know.
SELECT id, attempt FROM delivery FORCE INDEX (delivery_clock)
WHERE status = 'sending' AND worker_id = :session ORDER BY id;
