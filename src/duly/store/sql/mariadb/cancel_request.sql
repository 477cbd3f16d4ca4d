-- Asks the running attempt to stop; a request is never taken back by the attempt's own writes.
UPDATE JSON_TABLE(:batch, '$[*]' COLUMNS (attempt INT PATH '$.attempt', seq INT PATH '$.seq',
  id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id')) r
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = r.id
SET t.cancel_requested_at = coalesce(t.cancel_requested_at, :now), t.seq = r.seq,
  t.touched_at = greatest(t.touched_at, :now)
WHERE t.attempt = r.attempt AND t.status = 'running';
