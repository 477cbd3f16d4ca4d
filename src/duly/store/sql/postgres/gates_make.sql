-- Gives each name of the batch an open gate that has never answered; where there is one, nothing.
INSERT INTO gate (name, ramp_at, seconds, version)
SELECT name, :now, '[]', 1 FROM jsonb_array_elements_text(:batch::jsonb) AS b(name)
ORDER BY name COLLATE "C" ON CONFLICT DO NOTHING;
