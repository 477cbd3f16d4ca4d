-- Opens a worker session; the same id again changes nothing. It begins with what is paused of its queues, whose
-- rows are locked (queue_known.sql).
INSERT INTO worker (id, host, pid, queues, started_at, lease_until, paused)
VALUES (:session, :host, :pid, :queues, :now, :now + :lease,
  (SELECT concat(',', group_concat(name), ',') FROM queue
   WHERE paused_at IS NOT NULL AND find_in_set(name, :queues))) ON DUPLICATE KEY UPDATE id = worker.id;
