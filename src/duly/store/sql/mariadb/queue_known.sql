-- Sees to it that these queues have a row, and locks it: a pause and the start of a session, which must see each
-- other, both come here first and read in a later statement. In the order of the names.
INSERT INTO queue (name, updated_at)
SELECT b.name, :now FROM JSON_TABLE(:batch, '$[*]'
  COLUMNS (name VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b ORDER BY b.name
ON DUPLICATE KEY UPDATE name = queue.name;
