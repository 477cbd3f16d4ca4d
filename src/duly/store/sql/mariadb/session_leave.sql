-- Notes of processes that end on purpose that nothing which they hold can have killed them.
UPDATE JSON_TABLE(:batch, '$[*]'
  COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
STRAIGHT_JOIN worker w FORCE INDEX (PRIMARY) ON w.id = b.id SET w.held = 0 WHERE w.held IS NULL;
