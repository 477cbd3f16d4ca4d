-- Opens a worker session; the same id again changes nothing. It begins with what is paused of its queues, whose
-- rows are locked (queue_known.sql), and with the limits of queues and types (limits_known.sql).
INSERT INTO worker (id, host, pid, queues, started_at, lease_until, types, paused, limited)
VALUES (:session, :host, :pid, :queues, :now, :now + :lease, :types,
  (SELECT concat(',', group_concat(q.name), ',') FROM JSON_TABLE(:batch, '$[*]'
     COLUMNS (name VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
   STRAIGHT_JOIN queue q FORCE INDEX (PRIMARY) ON q.name = b.name WHERE q.paused_at IS NOT NULL),
  (SELECT concat(',', group_concat(l.name), ',') FROM limits l
   WHERE (l.cap IS NOT NULL OR l.rate IS NOT NULL) AND (l.name > 'queue/' AND l.name < 'queue0' OR l.name > 'type/' AND l.name < 'type0'))) ON DUPLICATE KEY UPDATE id = worker.id;
