-- After an operator's retry the answer is owed again: unsent deliveries wait, sent ones get a successor.
UPDATE delivery SET status = 'held', due_at = NULL
WHERE status = 'pending' AND body IS NULL AND task_id IN (SELECT value->>'id' FROM json_each(:batch));
INSERT INTO delivery (id, task_id, channel, target, status, created_at)
SELECT n.value->>'id', d.task_id, d.channel, d.target, 'held', :now
FROM json_each(:successors) n CROSS JOIN delivery d ON d.id = n.value->>'of';
