-- Which of these limits there are, locked by others or not.
SELECT l.name FROM JSON_TABLE(:batch, '$[*]' COLUMNS (
  name VARCHAR(255) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
STRAIGHT_JOIN limits l FORCE INDEX (PRIMARY) ON l.name = b.name;
