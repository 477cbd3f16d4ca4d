-- Accepts each task at most once: a living idempotency key, a unique key or the same id leaves the first row.
-- Answers the ids that are new, from which all else is written; none while there are quotas that nobody checked. A key
-- older than a day is free again: before the insert, which asks how many were. The ticket: behind the queue's head and
-- behind the owner's own last ticket, whichever is later; once for each owner, as is his weight.
WITH freed AS (
  UPDATE task SET idempotency_key = NULL WHERE created_at < :now - :key_ttl AND id = ANY(ARRAY(
    SELECT s.id FROM jsonb_to_recordset(:keyed::jsonb) AS k(tenant text, owner text, idempotency_key text)
    CROSS JOIN LATERAL (SELECT id FROM task t WHERE t.tenant = k.tenant AND t.owner = k.owner AND t.idempotency_key
      BETWEEN k.idempotency_key AND k.idempotency_key ORDER BY t.idempotency_key LIMIT 1) s)) RETURNING id),
g AS MATERIALIZED (SELECT * FROM jsonb_to_recordset(:batch::jsonb) AS r(task_type text, queue text, tenant text,
  owner text, status text, rank int, place int, due_at bigint, max_retries int, timeout_ms bigint, items jsonb,
  result_ttl_ms bigint, deadline_at bigint, idempotency_key text, body_hash text, unique_key text, metadata text, limit_key text)),
b AS MATERIALIZED (SELECT i.one->>0 AS id, i.one->>1 AS input, place + i.n AS place, task_type, queue, tenant, owner,
  status, rank, due_at, max_retries, timeout_ms, result_ttl_ms, deadline_at, idempotency_key, body_hash, unique_key,
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
    result_ttl_ms, deadline_at, idempotency_key, body_hash, unique_key, metadata, limit_key, touched_at, created_at)
  SELECT id, task_type, queue, tenant, owner, status, rank, CASE WHEN status <> 'pending' THEN 0
    ELSE step * place + head END, due_at, max_retries, timeout_ms, result_ttl_ms, deadline_at, idempotency_key, body_hash,
    unique_key, metadata, limit_key, :now, :now
  FROM b LEFT JOIN heads USING (queue, rank, tenant, owner) WHERE (SELECT count(*) FROM freed) >= 0
    AND (:checked = 1 OR NOT EXISTS (SELECT FROM limits WHERE most IS NOT NULL))
  ON CONFLICT DO NOTHING RETURNING id, status), kept AS (INSERT INTO task_data (task_id, kind, part, text)
  SELECT b.id, 'input', 0, b.input FROM b JOIN made ON made.id = b.id WHERE b.input IS NOT NULL),
told AS (INSERT INTO event (task_id, seq, at, type, data)
  SELECT id, 1, :now, 'accepted', json_build_object('status', status)::text FROM made),
more AS MATERIALIZED (SELECT a.id, tags, deliver FROM jsonb_to_recordset(:adorned::jsonb)
  AS a(id text, tags jsonb, deliver jsonb) JOIN made ON made.id = a.id),
tagged AS (INSERT INTO task_tag (task_id, tag) SELECT m.id, g.tag FROM more m, jsonb_array_elements_text(tags) AS g(tag) ON CONFLICT DO NOTHING),
owed AS (INSERT INTO delivery (id, task_id, channel, target, status, created_at, endpoint_id, chain) SELECT d.id, m.id, d.channel,
  d.target, 'held', :now, d.endpoint, d.chain FROM more m, jsonb_to_recordset(deliver) AS d(id text, channel text, target text, endpoint text, chain text))
SELECT id FROM made;
