-- Locks the inboxes of these owners, in key order, until the commit: the lines of one owner are numbered in the
-- order in which they can be read, so that who reads on from the last number misses none.
INSERT INTO inbox (tenant, owner)
SELECT b.tenant, b.owner FROM JSON_TABLE(:batch, '$[*]' COLUMNS (
  tenant VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.tenant',
  owner VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.owner')) b
ORDER BY b.tenant, b.owner
ON DUPLICATE KEY UPDATE owner = inbox.owner;
