-- These tasks name these uploads: none that has such a row is deleted. One that the pruner may want is locked
-- by being touched, so it is either gone before or seen as wanted.
UPDATE JSON_TABLE(:batch, '$[*]' COLUMNS (
  sha256 VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.sha256')) b
STRAIGHT_JOIN upload u ON u.sha256 = b.sha256
SET u.touched_at = :now WHERE u.touched_at < :now - 3600000;
INSERT INTO upload_ref (task_id, sha256)
SELECT b.id, b.sha256 FROM JSON_TABLE(:batch, '$[*]' COLUMNS (
  id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  sha256 VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.sha256')) b
ON DUPLICATE KEY UPDATE sha256 = upload_ref.sha256;
