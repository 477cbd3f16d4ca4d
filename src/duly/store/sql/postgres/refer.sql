-- These tasks name these uploads: none that has such a row is deleted. One that the pruner may want is locked
-- by being touched, so it is either gone before or seen as wanted.
UPDATE upload SET touched_at = :now
WHERE sha256 = ANY (ARRAY(SELECT b.sha256 FROM jsonb_to_recordset(:batch::jsonb) AS b(sha256 text)))
  AND touched_at < :now - 3600000;
INSERT INTO upload_ref (task_id, sha256)
SELECT id, sha256 FROM jsonb_to_recordset(:batch::jsonb) AS b(id text, sha256 text) ON CONFLICT DO NOTHING;
