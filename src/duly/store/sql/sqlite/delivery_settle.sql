-- Records how a send ended, only for the attempt that made it; of a chain, where it goes next.
UPDATE delivery SET status = r->>'status', due_at = r->>'due_at', worker_id = NULL, last_code = r->>'code',
  last_error = r->>'error', delivered_at = CASE WHEN r->>'status' = 'delivered' THEN :now END,
  outcome = r->>'outcome', log = coalesce(r->>'log', log), channel = coalesce(r->>'channel', channel),
  target = coalesce(r->>'target', target), step = coalesce(r->>'step', step),
  body = CASE WHEN r->>'step' IS NULL THEN body END,
  began = CASE WHEN r->>'step' IS NULL THEN began ELSE delivery.attempt END,
  endpoint_id = CASE WHEN r->>'step' IS NULL THEN endpoint_id ELSE r->>'endpoint' END
FROM (SELECT value AS r FROM json_each(:batch))
WHERE delivery.id = r->>'id' AND delivery.attempt = r->>'attempt' AND +delivery.status = 'sending';
