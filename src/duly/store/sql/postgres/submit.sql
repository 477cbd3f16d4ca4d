-- Accepts each task at most once: a living idempotency key, a unique key or the same id leaves the first row.
-- A key older than a day is free again.
UPDATE task t SET idempotency_key = NULL
FROM jsonb_to_recordset(:batch::jsonb) AS b(tenant text, owner text, idempotency_key text)
WHERE t.tenant = b.tenant AND t.owner = b.owner AND t.idempotency_key = b.idempotency_key
  AND t.created_at < :now - :key_ttl;
-- The ticket: behind the queue's head and behind the owner's own last ticket, whichever is later; looked up once
-- for each owner of the batch.
WITH b AS MATERIALIZED (
  SELECT *, row_number() OVER (PARTITION BY queue, rank, tenant, owner, status ORDER BY id) AS place
  FROM jsonb_to_recordset(:batch::jsonb) AS r(id text, task_type text, queue text, tenant text, owner text,
    status text, rank int, due_at bigint, max_retries int, timeout_ms bigint, deadline_at bigint,
    idempotency_key text, body_hash text, unique_key text, metadata text)),
heads AS MATERIALIZED (
  SELECT queue, rank, tenant, owner, greatest(
    coalesce((SELECT h.fair_at FROM task h WHERE h.status = 'pending' AND h.queue = g.queue
      AND h.suspect = 0 AND h.rank = g.rank ORDER BY h.fair_at LIMIT 1), 0),
    coalesce((SELECT o.fair_at FROM task o WHERE o.status = 'pending' AND o.queue = g.queue AND o.rank = g.rank
      AND o.tenant = g.tenant AND o.owner = g.owner ORDER BY o.fair_at DESC LIMIT 1), 0)) AS head
  FROM (SELECT DISTINCT queue, rank, tenant, owner FROM b WHERE status = 'pending') g)
INSERT INTO task (id, task_type, queue, tenant, owner, status, rank, fair_at, due_at, max_retries, timeout_ms,
  deadline_at, idempotency_key, body_hash, unique_key, metadata, touched_at, created_at)
SELECT b.id, task_type, b.queue, b.tenant, b.owner, status, b.rank,
  CASE WHEN status <> 'pending' THEN 0 ELSE 1000 * place + head END, due_at, max_retries, timeout_ms,
  deadline_at, idempotency_key, body_hash, unique_key, metadata, :now, :now
FROM b LEFT JOIN heads g
  ON g.queue = b.queue AND g.rank = b.rank AND g.tenant = b.tenant AND g.owner = b.owner
ON CONFLICT DO NOTHING;
INSERT INTO event (task_id, seq, at, type, data)
SELECT t.id, 1, :now, 'accepted', json_build_object('status', t.status)::text
FROM jsonb_to_recordset(:batch::jsonb) AS b(id text) JOIN task t ON t.id = b.id ON CONFLICT DO NOTHING;
INSERT INTO task_tag (task_id, tag)
SELECT t.id, g.tag FROM jsonb_to_recordset(:batch::jsonb) AS b(id text, tags jsonb) JOIN task t ON t.id = b.id
CROSS JOIN jsonb_array_elements_text(b.tags) AS g(tag) ON CONFLICT DO NOTHING;
INSERT INTO delivery (id, task_id, channel, target, status, created_at)
SELECT d.id, t.id, d.channel, d.target, 'held', :now
FROM jsonb_to_recordset(:batch::jsonb) AS b(id text, deliver jsonb) JOIN task t ON t.id = b.id
CROSS JOIN jsonb_to_recordset(b.deliver) AS d(id text, channel text, target text)
WHERE NOT EXISTS (SELECT 1 FROM delivery o WHERE o.task_id = t.id);
