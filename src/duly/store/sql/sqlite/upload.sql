-- An upload comes, or comes again: for a while nobody deletes it.
INSERT INTO upload (sha256, touched_at) SELECT value->>'sha256', :now FROM json_each(:batch) WHERE true
ON CONFLICT (sha256) DO UPDATE SET touched_at = excluded.touched_at;
