-- Records how a send ended, only for the attempt that made it.
UPDATE delivery d SET status = r.status, due_at = r.due_at, worker_id = NULL, last_code = r.code,
  last_error = r.error, delivered_at = CASE WHEN r.status = 'delivered' THEN :now::bigint END
FROM jsonb_to_recordset(:batch::jsonb) AS r(id text, attempt int, status text, due_at bigint, code int, error text)
WHERE d.id = ANY(ARRAY[r.id]) AND d.attempt = r.attempt AND d.status || '' = 'sending';
