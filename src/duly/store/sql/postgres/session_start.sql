-- Opens a worker session; the same id again changes nothing.
INSERT INTO worker (id, host, pid, queues, started_at, lease_until)
VALUES (:session, :host, :pid, :queues, :now, :now + :lease) ON CONFLICT DO NOTHING;
