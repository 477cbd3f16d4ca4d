-- Owes these ends to endpoints from now on, in the transaction that ends the tasks.
INSERT INTO delivery (id, task_id, channel, target, status, due_at, created_at, endpoint_id, subscribed)
SELECT value->>'id', value->>'task', 'endpoint', json_object('id', value->>'endpoint'), 'pending', :now, :now,
  value->>'endpoint', 1 FROM json_each(:batch);
