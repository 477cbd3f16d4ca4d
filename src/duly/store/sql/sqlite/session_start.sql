-- Opens a worker session; the same id again changes nothing. It begins with what is paused of its queues.
INSERT INTO worker (id, host, pid, queues, started_at, lease_until, types, paused)
VALUES (:session, :host, :pid, :queues, :now, :now + :lease, :types,
  (SELECT ',' || group_concat(q.name, ',') || ',' FROM json_each(:batch) b CROSS JOIN queue q ON q.name = b.value
   WHERE q.paused_at IS NOT NULL)) ON CONFLICT DO NOTHING;
