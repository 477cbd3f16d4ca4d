-- Which delivery is next in the line of each of these ordered endpoints, if none is being sent. Others that look
-- at the same lines now wait: who holds the lock reads what they decide on in a later statement.
-- No EXISTS: it would be put down whole, for all endpoints.
SELECT e.id FROM (SELECT b.id FROM JSON_TABLE(:batch, '$[*]'
    COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b ORDER BY b.id LIMIT 1000000) o
STRAIGHT_JOIN endpoint e FORCE INDEX (PRIMARY) ON e.id = o.id FOR UPDATE;
SELECT b.id, (SELECT h.id FROM delivery h FORCE INDEX (delivery_endpoint)
  WHERE h.endpoint_id = b.id AND h.status = 'pending' ORDER BY h.id LIMIT 1)
FROM JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
WHERE (SELECT s.id FROM delivery s FORCE INDEX (delivery_endpoint)
  WHERE s.endpoint_id = b.id AND s.status = 'sending' LIMIT 1) IS NULL;
