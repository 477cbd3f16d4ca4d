-- Tells, for each task of a batch in order, which row now stands for it, and that row's body.
SELECT coalesce(own.id, same.id, uniq.id), own.id IS NOT NULL, coalesce(own.body_hash, same.body_hash)
FROM jsonb_array_elements(:batch::jsonb) WITH ORDINALITY AS b(r, place)
LEFT JOIN task own ON own.id = r->>'id'
LEFT JOIN task same ON own.id IS NULL AND same.tenant = r->>'tenant'
  AND same.owner = r->>'owner' AND same.idempotency_key = r->>'idempotency_key'
LEFT JOIN task uniq ON own.id IS NULL AND same.id IS NULL AND uniq.unique_key = r->>'unique_key'
ORDER BY place;
