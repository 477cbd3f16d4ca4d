-- Gives each key of the batch a row of its own, as its type's template says; where there is one, nothing. In the
-- order of the names, for each row that is made is locked.
INSERT INTO limits (name, cap, rate, per_ms, tokens, refilled_at, updated_at)
SELECT b.name, e.cap, e.rate, e.per_ms, coalesce(e.rate, 0), :now, :now
FROM JSON_TABLE(:batch, '$[*]' COLUMNS (name VARCHAR(255) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.name',
  template VARCHAR(255) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.template')) b
STRAIGHT_JOIN limits e FORCE INDEX (PRIMARY) ON e.name = b.template
LEFT JOIN limits l FORCE INDEX (PRIMARY) ON l.name = b.name
WHERE (e.cap IS NOT NULL OR e.rate IS NOT NULL) AND l.name IS NULL ORDER BY b.name
ON DUPLICATE KEY UPDATE name = limits.name;
