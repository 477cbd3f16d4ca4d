-- Accepts each task at most once: a living idempotency key, a unique key or the same id leaves the first row.
-- Answers the ids that are new. A key older than a day is free again.
UPDATE task SET idempotency_key = NULL WHERE created_at < :now - :key_ttl AND id IN (
  SELECT t.id FROM json_each(:keyed) b CROSS JOIN task t
  WHERE t.tenant = b.value->>'tenant' AND t.owner = b.value->>'owner' AND t.idempotency_key = b.value->>'idempotency_key');
-- The ticket: behind the queue's head and behind the owner's last among his latest 16 here (decision 0047); by weight.
-- MATERIALIZED: else each use of a value reads its text anew, for each task of a row.
WITH g AS MATERIALIZED (SELECT r.value->>'task_type' AS task_type, r.value->>'queue' AS queue,
  r.value->>'tenant' AS tenant, r.value->>'owner' AS owner, r.value->>'status' AS status, r.value->>'rank' AS rank,
  r.value->>'due_at' AS due_at, r.value->>'max_retries' AS max_retries, r.value->>'timeout_ms' AS timeout_ms,
  r.value->>'result_ttl_ms' AS result_ttl_ms, r.value->>'deadline_at' AS deadline_at, r.value->>'place' AS place,
  r.value->>'idempotency_key' AS idempotency_key, r.value->>'body_hash' AS body_hash, r.value->>'metadata' AS metadata,
  r.value->>'unique_key' AS unique_key, r.value->>'limit_key' AS limit_key, r.value->'items' AS items FROM json_each(:batch) r),
b AS MATERIALIZED (SELECT *, CASE WHEN status <> 'pending' THEN 0 ELSE max(
    coalesce((SELECT min(fair_at) FROM task WHERE status = 'pending' AND queue = g.queue
      AND suspect = 0 AND rank = g.rank), 0), coalesce((SELECT max(fair_at) FROM (SELECT status, fair_at FROM (
      SELECT status, fair_at FROM task WHERE tenant = g.tenant AND owner = g.owner AND queue = g.queue AND rank = g.rank
      ORDER BY rowid DESC LIMIT 1000) WHERE fair_at > 0 LIMIT 16) WHERE status = 'pending'), 0)) END AS head,
    1000 / coalesce((SELECT weight FROM share s WHERE s.tenant = g.tenant AND s.owner IN (g.owner, '')
      ORDER BY s.owner DESC LIMIT 1), 1) AS step FROM g)
INSERT INTO task (id, task_type, queue, tenant, owner, status, rank, fair_at, due_at, max_retries, timeout_ms,
  result_ttl_ms, deadline_at, idempotency_key, body_hash, unique_key, metadata, limit_key, touched_at, created_at)
SELECT i.value->>0, task_type, queue, tenant, owner, status, rank,
  CASE WHEN status <> 'pending' THEN 0 ELSE head + step * (place + i.key + 1) END, due_at, max_retries, timeout_ms,
  result_ttl_ms, deadline_at, idempotency_key, body_hash, unique_key, metadata, limit_key, :now, :now
FROM b CROSS JOIN json_each(b.items) i WHERE true ON CONFLICT DO NOTHING RETURNING id;
INSERT INTO task_data (task_id, kind, part, text)
SELECT t.id, 'input', 0, i.value->>1 FROM json_each(:batch) b CROSS JOIN json_each(b.value, '$.items') i
CROSS JOIN task t ON t.id = i.value->>0 WHERE i.value->>1 IS NOT NULL ON CONFLICT DO NOTHING;
INSERT INTO event (task_id, seq, at, type, data)
SELECT t.id, 1, :now, 'accepted', json_object('status', t.status)
FROM json_each(:ids) b CROSS JOIN task t ON t.id = b.value WHERE true ON CONFLICT DO NOTHING;
INSERT INTO task_tag (task_id, tag)
SELECT t.id, g.value FROM json_each(:adorned) b CROSS JOIN task t ON t.id = b.value->>'id'
CROSS JOIN json_each(b.value, '$.tags') g WHERE true ON CONFLICT DO NOTHING;
INSERT INTO delivery (id, task_id, channel, target, status, created_at, endpoint_id, chain)
SELECT d.value->>'id', t.id, d.value->>'channel', d.value->>'target', 'held', :now, d.value->>'endpoint',
  d.value->>'chain' FROM json_each(:adorned) b CROSS JOIN task t ON t.id = b.value->>'id'
CROSS JOIN json_each(b.value, '$.deliver') d
WHERE NOT EXISTS (SELECT 1 FROM delivery o WHERE o.task_id = t.id);
