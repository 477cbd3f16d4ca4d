-- Adds lines to timelines; their numbers were reserved under the task's lock.
INSERT INTO event (task_id, seq, at, type, data)
SELECT t.id, b.seq, greatest(t.touched_at, :now), b.type, b.data
FROM JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  seq INT PATH '$.seq', type VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.type',
  data LONGTEXT CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.data')) b
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = b.id;
