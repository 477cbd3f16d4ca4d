-- Gives each name of the batch a full bucket; where there is one, nothing.
INSERT INTO bucket (name, tokens, refilled_at, full_at)
SELECT name, tokens, :now, :now FROM jsonb_to_recordset(:batch::jsonb) AS b(name text, tokens double precision)
ORDER BY name COLLATE "C" ON CONFLICT DO NOTHING;
