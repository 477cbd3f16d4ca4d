-- Gives these due deliveries to this session while it lives; attempt + 1 is their fence.
SELECT count(*) INTO @alive FROM worker WHERE id = :session AND ended_at IS NULL LOCK IN SHARE MODE;
SELECT JSON_ARRAYAGG(d.id) INTO @mine FROM JSON_TABLE(:batch, '$[*]'
  COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
STRAIGHT_JOIN delivery d FORCE INDEX (PRIMARY) ON d.id = b.id
WHERE d.status = 'pending' AND d.due_at <= :now AND @alive = 1 FOR UPDATE SKIP LOCKED;
UPDATE JSON_TABLE(@mine, '$[*]'
  COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
STRAIGHT_JOIN delivery d FORCE INDEX (PRIMARY) ON d.id = b.id
SET d.status = 'sending', d.attempt = d.attempt + 1, d.worker_id = :session, d.due_at = NULL;
SELECT d.id, d.task_id, d.channel, d.target, d.attempt, d.body,
  d.log, d.chain, d.step, d.began, d.subscribed FROM JSON_TABLE(@mine, '$[*]'
  COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
STRAIGHT_JOIN delivery d FORCE INDEX (PRIMARY) ON d.id = b.id;
