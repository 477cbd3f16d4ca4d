-- The latest delivery to each target of a task that was sent or is past recall.
SELECT max(d.id) FROM json_each(:batch) b CROSS JOIN delivery d ON d.task_id = b.value->>'id'
WHERE d.subscribed = 0 GROUP BY d.task_id, coalesce(d.chain, d.channel), coalesce(d.chain, d.target)
HAVING sum(d.status = 'held' OR (d.status = 'pending' AND d.body IS NULL)) = 0;
