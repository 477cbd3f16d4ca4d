-- An upload comes, or comes again: for a while nobody deletes it.
INSERT INTO upload (sha256, touched_at)
SELECT DISTINCT b.sha256, :now FROM JSON_TABLE(:batch, '$[*]' COLUMNS (
  sha256 VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.sha256')) b
ON DUPLICATE KEY UPDATE touched_at = :now;
