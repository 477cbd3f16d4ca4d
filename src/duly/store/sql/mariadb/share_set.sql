-- Gives sharers their weights, new or instead of those before.
INSERT INTO share (tenant, owner, weight)
SELECT tenant, owner, weight FROM JSON_TABLE(:batch, '$[*]' COLUMNS (
  tenant VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.tenant',
  owner VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.owner', weight INT PATH '$.weight')) r
ON DUPLICATE KEY UPDATE weight = VALUES(weight);
