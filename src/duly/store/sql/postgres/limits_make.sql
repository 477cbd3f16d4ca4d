-- Gives each key of the batch a row of its own, as its type's template says; where there is one, nothing. In the
-- order of the names, for each row that is made is locked.
INSERT INTO limits (name, cap, rate, per_ms, tokens, refilled_at, updated_at)
SELECT b.name, e.cap, e.rate, e.per_ms, coalesce(e.rate, 0), :now, :now
FROM jsonb_to_recordset(:batch::jsonb) AS b(name text, template text)
CROSS JOIN LATERAL (SELECT * FROM limits WHERE name = ANY(ARRAY[b.template])) e
WHERE (e.cap IS NOT NULL OR e.rate IS NOT NULL)
  AND NOT EXISTS (SELECT FROM limits l WHERE l.name = ANY(ARRAY[b.name])) ORDER BY b.name ON CONFLICT DO NOTHING;
