-- Opens a worker session; the same id again changes nothing. It begins with what is paused of its queues, and
-- with the limits of queues and types.
INSERT INTO worker (id, host, pid, queues, started_at, lease_until, types, paused, limited)
VALUES (:session, :host, :pid, :queues, :now, :now + :lease, :types,
  (SELECT ',' || group_concat(q.name, ',') || ',' FROM json_each(:batch) b CROSS JOIN queue q ON q.name = b.value
   WHERE q.paused_at IS NOT NULL),
  (SELECT ',' || group_concat(l.name, ',') || ',' FROM limits l
   WHERE (l.cap IS NOT NULL OR l.rate IS NOT NULL) AND (l.name > 'queue/' AND l.name < 'queue0' OR l.name > 'type/' AND l.name < 'type0'))) ON CONFLICT DO NOTHING;
