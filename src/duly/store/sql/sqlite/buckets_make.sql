-- Gives each name of the batch a full bucket; where there is one, nothing.
INSERT INTO bucket (name, tokens, refilled_at, full_at)
SELECT b.value->>'name', b.value->>'tokens', :now, :now FROM json_each(:batch) b WHERE true
ON CONFLICT DO NOTHING;
