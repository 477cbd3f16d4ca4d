-- Notes in which limits the attempts of the batch, which were claimed in this transaction, took room.
UPDATE JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  holds LONGTEXT CHARSET utf8mb4 PATH '$.holds')) r
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = r.id SET t.holds = r.holds;
