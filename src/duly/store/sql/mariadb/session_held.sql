-- Notes once how many tasks each ended session still held; a later statement than the end, so no claim is
-- missed. Counted apart: a table that an UPDATE joins is locked row by row.
SELECT JSON_ARRAYAGG(JSON_OBJECT('id', w.id, 'held', (SELECT count(*) FROM task t FORCE INDEX (task_held)
    WHERE t.status = 'running' AND t.worker_id = w.id))) INTO @held
FROM JSON_TABLE(:batch, '$[*]'
  COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
STRAIGHT_JOIN worker w FORCE INDEX (PRIMARY) ON w.id = b.id WHERE w.held IS NULL AND w.ended_at IS NOT NULL;
UPDATE JSON_TABLE(@held, '$[*]' COLUMNS (held INT PATH '$.held',
  id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id')) b
STRAIGHT_JOIN worker w FORCE INDEX (PRIMARY) ON w.id = b.id SET w.held = b.held WHERE w.held IS NULL;
