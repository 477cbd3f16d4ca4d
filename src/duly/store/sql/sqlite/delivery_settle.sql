-- Records how a send ended, only for the attempt that made it.
UPDATE delivery SET status = r->>'status', due_at = r->>'due_at', worker_id = NULL, last_code = r->>'code',
  last_error = r->>'error', delivered_at = CASE WHEN r->>'status' = 'delivered' THEN :now END
FROM (SELECT value AS r FROM json_each(:batch))
WHERE delivery.id = r->>'id' AND delivery.attempt = r->>'attempt' AND +delivery.status = 'sending';
