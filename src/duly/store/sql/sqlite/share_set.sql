-- Gives sharers their weights, new or instead of those before.
INSERT INTO share (tenant, owner, weight)
SELECT value->>'tenant', value->>'owner', value->>'weight' FROM json_each(:batch) WHERE true
ON CONFLICT (tenant, owner) DO UPDATE SET weight = excluded.weight;
