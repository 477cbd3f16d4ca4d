-- Opens a worker session; the same id again changes nothing. It begins with what is paused of its queues.
INSERT INTO worker (id, host, pid, queues, started_at, lease_until, paused)
VALUES (:session, :host, :pid, :queues, :now, :now + :lease,
  (SELECT ',' || group_concat(name, ',') || ',' FROM queue
   WHERE paused_at IS NOT NULL AND instr(',' || :queues || ',', ',' || name || ',') > 0)) ON CONFLICT DO NOTHING;
