-- Forgets the attempts of a batch: a round that ended in a wait leaves none.
DELETE a FROM JSON_TABLE(:batch, '$[*]' COLUMNS (
  id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id', attempt INT PATH '$.attempt')) r
STRAIGHT_JOIN attempt a FORCE INDEX (PRIMARY) ON a.task_id = r.id AND a.attempt = r.attempt;
