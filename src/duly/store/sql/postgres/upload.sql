-- An upload comes, or comes again: for a while nobody deletes it.
INSERT INTO upload (sha256, touched_at)
SELECT DISTINCT sha256, :now::bigint FROM jsonb_to_recordset(:batch::jsonb) AS b(sha256 text)
ON CONFLICT (sha256) DO UPDATE SET touched_at = excluded.touched_at;
