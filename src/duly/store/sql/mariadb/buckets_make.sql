-- Gives each name of the batch a full bucket; where there is one, nothing.
INSERT INTO bucket (name, tokens, refilled_at, full_at)
SELECT b.name, b.tokens, :now, :now FROM JSON_TABLE(:batch, '$[*]' COLUMNS (
  name VARCHAR(200) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.name', tokens DOUBLE PATH '$.tokens')) b
ORDER BY b.name ON DUPLICATE KEY UPDATE name = bucket.name;
