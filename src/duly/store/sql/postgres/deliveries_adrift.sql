-- Deliveries that are being sent by a session that has ended.
SELECT d.id FROM delivery d JOIN worker w ON w.id = ANY(ARRAY[d.worker_id])
WHERE d.status = 'sending' AND w.ended_at + 0 IS NOT NULL LIMIT 1;
