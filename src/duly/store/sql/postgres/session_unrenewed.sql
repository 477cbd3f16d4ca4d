-- Those whose lease still ends when a reader saw it end, if that is given: they are locked, not to be renewed now.
SELECT w.id
FROM jsonb_to_recordset(:batch::jsonb) AS b(id text, until bigint) JOIN worker w ON w.id = ANY(ARRAY[b.id])
WHERE w.lease_until = coalesce(b.until, w.lease_until) ORDER BY b.id COLLATE "C" FOR UPDATE OF w;
