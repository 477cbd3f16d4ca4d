-- Which writes of a batch still own their task: same attempt, still running. All others are refused.
-- The inner LIMIT keeps the order in which rows are locked: without one it would be dropped as of no use.
SELECT t.id, t.attempt, t.seq
FROM (SELECT b.id, b.attempt FROM JSON_TABLE(:batch, '$[*]' COLUMNS (
    id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.id', attempt INT PATH '$.attempt')) b
  ORDER BY b.id LIMIT 1000000) o
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = o.id
WHERE t.attempt = o.attempt AND t.status = 'running' FOR UPDATE;
