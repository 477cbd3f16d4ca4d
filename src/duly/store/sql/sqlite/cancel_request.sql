-- Asks the running attempt to stop; a request is never taken back by the attempt's own writes.
UPDATE task SET cancel_requested_at = coalesce(cancel_requested_at, :now), seq = r->>'seq',
  touched_at = max(touched_at, :now)
FROM (SELECT value AS r FROM json_each(:batch))
WHERE task.id = r->>'id' AND task.attempt = r->>'attempt' AND +task.status = 'running';
