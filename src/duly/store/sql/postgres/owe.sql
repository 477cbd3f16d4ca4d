-- Owes these ends to endpoints from now on, in the transaction that ends the tasks.
INSERT INTO delivery (id, task_id, channel, target, status, due_at, created_at, endpoint_id, subscribed)
SELECT id, task, 'endpoint', '{"id":"' || endpoint || '"}', 'pending', :now, :now, endpoint, 1
FROM jsonb_to_recordset(:batch::jsonb) AS b(id text, task text, endpoint text);
