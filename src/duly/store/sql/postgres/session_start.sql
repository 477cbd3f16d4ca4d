-- Opens a worker session; the same id again changes nothing. It begins with what is paused of its queues, whose
-- rows are locked (queue_known.sql).
INSERT INTO worker (id, host, pid, queues, started_at, lease_until, types, paused)
VALUES (:session, :host, :pid, :queues, :now, :now + :lease, :types,
  (SELECT ',' || string_agg(name, ',') || ',' FROM queue
   WHERE paused_at IS NOT NULL AND name = ANY(ARRAY(SELECT jsonb_array_elements_text(:batch::jsonb))))) ON CONFLICT DO NOTHING;
