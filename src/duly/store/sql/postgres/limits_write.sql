-- Writes what became of limits that are locked.
UPDATE limits l SET taken = r.taken, tokens = r.tokens, refilled_at = r.refilled_at, wake_at = r.wake_at,
  updated_at = :now
FROM jsonb_to_recordset(:batch::jsonb) AS r(name text, taken int, tokens float8, refilled_at bigint, wake_at bigint)
WHERE l.name = ANY(ARRAY[r.name]);
