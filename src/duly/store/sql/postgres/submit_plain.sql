-- What nearly every submit is, of submit.sql: tasks without idempotency key, tags and deliveries, and no quota anywhere.
-- Each part of a statement costs it time, also one that finds nothing.
WITH g AS MATERIALIZED (SELECT * FROM jsonb_to_recordset(:batch::jsonb) AS r(task_type text, queue text, tenant text,
  owner text, status text, rank int, place int, due_at bigint, max_retries int, timeout_ms bigint, items jsonb,
  result_ttl_ms bigint, deadline_at bigint, body_hash text, unique_key text, metadata text, limit_key text)),
b AS MATERIALIZED (SELECT i.one->>0 AS id, i.one->>1 AS input, place + i.n AS place, task_type, queue, tenant, owner,
  status, rank, due_at, max_retries, timeout_ms, result_ttl_ms, deadline_at, body_hash, unique_key,
  metadata, limit_key FROM g CROSS JOIN LATERAL jsonb_array_elements(items) WITH ORDINALITY AS i(one, n)),
heads AS MATERIALIZED (
  SELECT queue, rank, tenant, owner, greatest(
    coalesce((SELECT h.fair_at FROM task h WHERE h.status = 'pending' AND h.queue = g.queue AND h.suspect = 0
      AND h.rank = g.rank AND h.fair_at >= (:places::jsonb->g.queue->>g.rank - 1)::bigint ORDER BY h.fair_at LIMIT 1), 0),
    coalesce((SELECT o.fair_at FROM task o WHERE o.status = 'pending' AND o.queue = g.queue AND o.rank = g.rank
      AND o.tenant = g.tenant AND o.owner = g.owner ORDER BY o.fair_at DESC LIMIT 1), 0)) AS head,
    1000 / coalesce((SELECT weight FROM share s WHERE s.tenant = g.tenant AND s.owner IN (g.owner, '')
      ORDER BY s.owner DESC LIMIT 1), 1) AS step FROM g WHERE status = 'pending' AND place = 0),
made AS (INSERT INTO task (id, task_type, queue, tenant, owner, status, rank, fair_at, due_at, max_retries, timeout_ms,
    result_ttl_ms, deadline_at, body_hash, unique_key, metadata, limit_key, touched_at, created_at)
  SELECT id, task_type, queue, tenant, owner, status, rank, CASE WHEN status <> 'pending' THEN 0
    ELSE step * place + head END, due_at, max_retries, timeout_ms, result_ttl_ms, deadline_at, body_hash,
    unique_key, metadata, limit_key, :now, :now
  FROM b LEFT JOIN heads USING (queue, rank, tenant, owner)
  WHERE NOT EXISTS (SELECT FROM limits WHERE most IS NOT NULL)
  ON CONFLICT DO NOTHING RETURNING id, status), kept AS (INSERT INTO task_data (task_id, kind, part, text)
  SELECT b.id, 'input', 0, b.input FROM b JOIN made ON made.id = b.id WHERE b.input IS NOT NULL),
told AS (INSERT INTO event (task_id, seq, at, type, data)
  SELECT id, 1, :now, 'accepted', json_build_object('status', status)::text FROM made)
SELECT id FROM made;
