-- Tells, for each task of a batch in order, which row now stands for it, and that row's body.
SELECT coalesce(own.id, same.id, uniq.id), own.id IS NOT NULL, coalesce(own.body_hash, same.body_hash)
FROM jsonb_array_elements(:batch::jsonb) WITH ORDINALITY AS b(r, place)
LEFT JOIN task own ON own.id = ANY(ARRAY[r->>'id'])
LEFT JOIN LATERAL (SELECT id, body_hash FROM task t WHERE t.tenant = r->>'tenant' AND t.owner = r->>'owner'
  AND t.idempotency_key BETWEEN r->>'idempotency_key' AND r->>'idempotency_key'
  ORDER BY t.idempotency_key LIMIT 1) same ON own.id IS NULL
LEFT JOIN task uniq ON own.id IS NULL AND same.id IS NULL AND uniq.unique_key = ANY(ARRAY[r->>'unique_key'])
ORDER BY place;
