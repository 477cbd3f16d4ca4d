-- Gives each key of the batch a row of its own, as its type's template says; where there is one, nothing.
INSERT INTO limits (name, cap, rate, per_ms, tokens, refilled_at, updated_at)
SELECT b.value->>'name', e.cap, e.rate, e.per_ms, coalesce(e.rate, 0), :now, :now
FROM json_each(:batch) b CROSS JOIN limits e ON e.name = b.value->>'template'
WHERE (e.cap IS NOT NULL OR e.rate IS NOT NULL)
  AND NOT EXISTS (SELECT 1 FROM limits l WHERE l.name = b.value->>'name') ON CONFLICT DO NOTHING;
