-- Which endpoints may want to hear of the ends of these tasks; not those that the task itself named.
SELECT t.id, t.task_type, t.status, e.id, e.events, e.task_types
FROM json_each(:batch) b CROSS JOIN task t ON t.id = b.value
CROSS JOIN endpoint e ON e.tenant = t.tenant AND e.owner = t.owner AND e.enabled = 1
WHERE NOT EXISTS (SELECT 1 FROM delivery d WHERE d.task_id = t.id AND d.status IN ('held', 'pending')
  AND +d.endpoint_id = e.id AND d.body IS NULL);
