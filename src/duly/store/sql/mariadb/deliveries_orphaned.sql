-- Hands back deliveries whose session has ended; they are sent again, with the same id.
-- One that told nothing yet, of a task that was meanwhile retried, is over: a successor waits for the new
-- end. Their tasks are locked first, in the order of their keys, as in an operator's retry.
SELECT JSON_ARRAYAGG(JSON_OBJECT('id', d.id, 'task', d.task_id, 'session', w.id)) INTO @adrift
FROM delivery d FORCE INDEX (delivery_clock)
STRAIGHT_JOIN worker w FORCE INDEX (PRIMARY) ON w.id = d.worker_id
WHERE d.status = 'sending' AND w.ended_at IS NOT NULL;
SELECT t.id FROM (SELECT DISTINCT b.id FROM JSON_TABLE(@adrift, '$[*]' COLUMNS (
    id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.task')) b ORDER BY b.id LIMIT 1000000) o
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = o.id LOCK IN SHARE MODE;
UPDATE JSON_TABLE(@adrift, '$[*]' COLUMNS (
  id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id',
  session VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.session')) b
STRAIGHT_JOIN delivery d FORCE INDEX (PRIMARY) ON d.id = b.id
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = d.task_id
SET d.worker_id = NULL, d.outcome = 'unknown',
  d.status = CASE WHEN d.body IS NULL AND t.completed_at IS NULL THEN 'dead' ELSE 'pending' END,
  d.due_at = CASE WHEN d.body IS NULL AND t.completed_at IS NULL THEN NULL ELSE :now END,
  d.last_error = CASE WHEN d.body IS NULL AND t.completed_at IS NULL
    THEN 'the task was retried before this was sent' ELSE d.last_error END
WHERE d.status = 'sending' AND d.worker_id = b.session;
