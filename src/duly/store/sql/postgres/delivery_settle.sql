-- Records how a send ended, only for the attempt that made it; of a chain, where it goes next.
UPDATE delivery d SET status = r.status, due_at = r.due_at, worker_id = NULL, last_code = r.code,
  last_error = r.error, delivered_at = CASE WHEN r.status = 'delivered' THEN :now::bigint END,
  outcome = r.outcome, log = coalesce(r.log, d.log), channel = coalesce(r.channel, d.channel),
  target = coalesce(r.target, d.target), step = coalesce(r.step, d.step),
  body = CASE WHEN r.step IS NULL THEN d.body END,
  began = CASE WHEN r.step IS NULL THEN d.began ELSE d.attempt END,
  endpoint_id = CASE WHEN r.step IS NULL THEN d.endpoint_id ELSE r.endpoint END
FROM jsonb_to_recordset(:batch::jsonb) AS r(id text, attempt int, status text, due_at bigint, code int, error text,
  outcome text, log text, channel text, target text, step int, endpoint text)
WHERE d.id = ANY(ARRAY[r.id]) AND d.attempt = r.attempt AND d.status || '' = 'sending';
