-- Gives each name of the batch an open gate that has never answered; where there is one, nothing.
INSERT INTO gate (name, ramp_at, seconds, version)
SELECT b.value, :now, '[]', 1 FROM json_each(:batch) b WHERE true ON CONFLICT DO NOTHING;
