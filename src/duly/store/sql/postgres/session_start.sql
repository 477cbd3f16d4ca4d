-- Opens a worker session; the same id again changes nothing. It begins with what is paused of its queues, whose
-- rows are locked (queue_known.sql), and with the limits of queues and types (limits_known.sql).
INSERT INTO worker (id, host, pid, queues, started_at, lease_until, types, paused, limited)
VALUES (:session, :host, :pid, :queues, :now, :now + :lease, :types,
  (SELECT ',' || string_agg(name, ',') || ',' FROM queue
   WHERE paused_at IS NOT NULL AND name = ANY(ARRAY(SELECT jsonb_array_elements_text(:batch::jsonb)))),
  (SELECT ',' || string_agg(l.name, ',') || ',' FROM limits l
   WHERE (l.cap IS NOT NULL OR l.rate IS NOT NULL) AND (l.name > 'queue/' AND l.name < 'queue0' OR l.name > 'type/' AND l.name < 'type0'))) ON CONFLICT DO NOTHING;
