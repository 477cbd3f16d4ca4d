-- Sees to it that these queues have a row. Pause and session start both come here first.
INSERT INTO queue (name, updated_at) SELECT value, :now FROM json_each(:batch) WHERE true ON CONFLICT DO NOTHING;
