-- Ends sessions first, so that neither a claim nor a renewal of theirs can succeed from here on.
SELECT w.id FROM (SELECT b.id FROM JSON_TABLE(:batch, '$[*]'
    COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
  ORDER BY b.id LIMIT 1000000) o
STRAIGHT_JOIN worker w FORCE INDEX (PRIMARY) ON w.id = o.id WHERE w.ended_at IS NULL FOR UPDATE;
UPDATE JSON_TABLE(:batch, '$[*]'
  COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
STRAIGHT_JOIN worker w FORCE INDEX (PRIMARY) ON w.id = b.id SET w.ended_at = :now WHERE w.ended_at IS NULL;
