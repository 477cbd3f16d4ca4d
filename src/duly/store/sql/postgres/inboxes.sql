-- Locks the inboxes of these owners, in key order, until the commit: the lines of one owner are numbered in the
-- order in which they can be read, so that who reads on from the last number misses none.
INSERT INTO inbox (tenant, owner)
SELECT tenant, owner FROM jsonb_to_recordset(:batch::jsonb) AS b(tenant text, owner text)
ORDER BY tenant COLLATE "C", owner COLLATE "C"
ON CONFLICT (tenant, owner) DO UPDATE SET owner = excluded.owner;
