-- Gives sharers their weights, new or instead of those before.
INSERT INTO share (tenant, owner, weight)
SELECT tenant, owner, weight FROM jsonb_to_recordset(:batch::jsonb) AS r(tenant text, owner text, weight int)
ON CONFLICT (tenant, owner) DO UPDATE SET weight = excluded.weight;
