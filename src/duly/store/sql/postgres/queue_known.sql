-- Sees to it that these queues have a row, and locks it: a pause and the start of a session, which must see each
-- other, both come here first and read in a later statement. In the order of the names.
INSERT INTO queue (name, updated_at)
SELECT name, :now FROM jsonb_array_elements_text(:batch::jsonb) AS b(name) ORDER BY name
ON CONFLICT (name) DO UPDATE SET updated_at = queue.updated_at;
