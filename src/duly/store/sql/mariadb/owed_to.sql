-- Which endpoints may want to hear of the ends of these tasks; not those that the task itself named.
-- No EXISTS: it would be put down whole, for all deliveries.
SELECT t.id, t.task_type, t.status, e.id, e.events, e.task_types
FROM JSON_TABLE(:batch, '$[*]' COLUMNS (id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$')) b
STRAIGHT_JOIN task t FORCE INDEX (PRIMARY) ON t.id = b.id
STRAIGHT_JOIN endpoint e FORCE INDEX (endpoint_owner)
  ON e.tenant = t.tenant AND e.owner = t.owner AND e.enabled = 1
WHERE (SELECT d.id FROM delivery d FORCE INDEX (delivery_task) WHERE d.task_id = t.id
  AND d.status IN ('held', 'pending') AND d.endpoint_id = e.id AND d.body IS NULL LIMIT 1) IS NULL;
