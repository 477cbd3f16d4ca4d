-- Accepts each task at most once: a living idempotency key, a unique key or the same id leaves the first row.
-- Answers the ids that are new. A key older than a day is free again.
UPDATE task SET idempotency_key = NULL
WHERE created_at < :now - :key_ttl AND id IN (
  SELECT t.id FROM json_each(:keyed) b CROSS JOIN task t
  WHERE t.tenant = b.value->>'tenant' AND t.owner = b.value->>'owner'
    AND t.idempotency_key = b.value->>'idempotency_key');
-- The ticket: behind the queue's head and behind the owner's own last ticket, whichever is later.
-- MATERIALIZED: else each use of a value writes its text anew.
WITH b AS MATERIALIZED (SELECT value AS r FROM json_each(:batch))
INSERT INTO task (id, task_type, queue, tenant, owner, status, rank, fair_at, due_at, max_retries, timeout_ms,
  deadline_at, idempotency_key, body_hash, unique_key, metadata, touched_at, created_at)
SELECT r->>'id', r->>'task_type', r->>'queue', r->>'tenant', r->>'owner', r->>'status', r->>'rank',
  CASE WHEN r->>'status' <> 'pending' THEN 0 ELSE 1000 * (r->>'place') + max(
    coalesce((SELECT min(fair_at) FROM task WHERE status = 'pending' AND queue = r->>'queue'
      AND suspect = 0 AND rank = r->>'rank'), 0),
    coalesce((SELECT max(fair_at) FROM task WHERE status = 'pending' AND queue = r->>'queue'
      AND rank = r->>'rank' AND tenant = r->>'tenant' AND owner = r->>'owner'), 0)) END,
  r->>'due_at', r->>'max_retries', r->>'timeout_ms', r->>'deadline_at', r->>'idempotency_key',
  r->>'body_hash', r->>'unique_key', r->>'metadata', :now, :now
FROM b WHERE true ON CONFLICT DO NOTHING RETURNING id;
INSERT INTO event (task_id, seq, at, type, data)
SELECT t.id, 1, :now, 'accepted', json_object('status', t.status)
FROM json_each(:ids) b CROSS JOIN task t ON t.id = b.value WHERE true ON CONFLICT DO NOTHING;
INSERT INTO task_tag (task_id, tag)
SELECT t.id, g.value FROM json_each(:adorned) b CROSS JOIN task t ON t.id = b.value->>'id'
CROSS JOIN json_each(b.value, '$.tags') g WHERE true ON CONFLICT DO NOTHING;
INSERT INTO delivery (id, task_id, channel, target, status, created_at)
SELECT d.value->>'id', t.id, d.value->>'channel', d.value->>'target', 'held', :now
FROM json_each(:adorned) b CROSS JOIN task t ON t.id = b.value->>'id'
CROSS JOIN json_each(b.value, '$.deliver') d
WHERE NOT EXISTS (SELECT 1 FROM delivery o WHERE o.task_id = t.id);
