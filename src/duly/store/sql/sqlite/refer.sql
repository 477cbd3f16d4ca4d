-- These tasks name these uploads: none that has such a row is deleted. One that the pruner may want is locked
-- by being touched, so it is either gone before or seen as wanted.
UPDATE upload SET touched_at = :now
WHERE sha256 IN (SELECT value->>'sha256' FROM json_each(:batch)) AND touched_at < :now - 3600000;
INSERT INTO upload_ref (task_id, sha256)
SELECT value->>'id', value->>'sha256' FROM json_each(:batch) WHERE true ON CONFLICT DO NOTHING;
