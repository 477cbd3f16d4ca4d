-- Gives each name of the batch an open gate that has never answered; where there is one, nothing.
INSERT INTO gate (name, ramp_at, seconds, version)
SELECT b.name, :now, '[]', 1 FROM JSON_TABLE(:batch, '$[*]' COLUMNS (
  name VARCHAR(100) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
ORDER BY b.name ON DUPLICATE KEY UPDATE name = gate.name;
