-- Asks the running attempt to stop; a request is never taken back by the attempt's own writes.
UPDATE task SET cancel_requested_at = coalesce(cancel_requested_at, :now), seq = r.seq,
  touched_at = greatest(touched_at, :now)
FROM jsonb_to_recordset(:batch::jsonb) AS r(id text, attempt int, seq int)
WHERE task.id = ANY(ARRAY[r.id]) AND task.attempt = r.attempt AND task.status || '' = 'running';
