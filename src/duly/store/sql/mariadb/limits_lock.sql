-- How these limits stand, locked in the order of their names: whoever finds them locked waits.
-- The inner LIMIT keeps that order: without one it would be dropped as of no use.
SELECT l.name, l.cap, l.taken, l.rate, l.per_ms, l.tokens, l.refilled_at, l.wake_at, l.updated_at
FROM (SELECT b.name FROM JSON_TABLE(:batch, '$[*]' COLUMNS (name VARCHAR(255) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
  ORDER BY b.name LIMIT 1000000) o
STRAIGHT_JOIN limits l FORCE INDEX (PRIMARY) ON l.name = o.name FOR UPDATE;
