-- Deliveries that are being sent by a session that has ended.
SELECT d.id FROM delivery d FORCE INDEX (delivery_clock)
STRAIGHT_JOIN worker w FORCE INDEX (PRIMARY) ON w.id = d.worker_id
WHERE d.status = 'sending' AND w.ended_at IS NOT NULL LIMIT 1;
