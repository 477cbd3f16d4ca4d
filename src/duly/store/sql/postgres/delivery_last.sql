-- The latest delivery to each target of a task that was sent or is past recall.
SELECT max(d.id) FROM jsonb_to_recordset(:batch::jsonb) AS b(id text) JOIN delivery d ON d.task_id = ANY(ARRAY[b.id])
WHERE d.subscribed = 0 GROUP BY b.id, coalesce(d.chain, d.channel), coalesce(d.chain, d.target)
HAVING count(*) FILTER (WHERE d.status = 'held' OR (d.status = 'pending' AND d.body IS NULL)) = 0;
