-- Tells, for each task of a batch in order, which row now stands for it, and that row's body.
SELECT coalesce(own.id, same.id, uniq.id), own.id IS NOT NULL, coalesce(own.body_hash, same.body_hash)
FROM json_each(:batch) b
LEFT JOIN task own ON own.id = b.value->>'id'
LEFT JOIN task same ON own.id IS NULL AND same.tenant = b.value->>'tenant'
  AND same.owner = b.value->>'owner' AND same.idempotency_key = b.value->>'idempotency_key'
LEFT JOIN task uniq ON own.id IS NULL AND same.id IS NULL AND uniq.unique_key = b.value->>'unique_key'
ORDER BY b.key;
