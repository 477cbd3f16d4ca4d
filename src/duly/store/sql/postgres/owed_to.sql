-- Which endpoints may want to hear of the ends of these tasks; not those that the task itself named.
SELECT t.id, t.task_type, t.status, e.id, e.events, e.task_types
FROM task t JOIN endpoint e ON e.tenant = ANY(ARRAY[t.tenant]) AND e.owner = ANY(ARRAY[t.owner])
  AND e.enabled = 1
WHERE t.id = ANY(ARRAY(SELECT jsonb_array_elements_text(:batch::jsonb)))
  AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.task_id = ANY(ARRAY[t.id])
    AND d.status || '' IN ('held', 'pending') AND d.endpoint_id || '' = e.id AND d.body IS NULL);
