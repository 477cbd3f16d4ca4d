-- Puts a line into an inbox once per delivery, only while this attempt owns the delivery.
INSERT INTO notification (delivery_id, task_id, tenant, owner, type, body, created_at)
SELECT :delivery::text, :task::text, :tenant::text, :owner::text, :type::text, :body::text, :now::bigint
WHERE EXISTS (SELECT 1 FROM delivery WHERE id = :delivery::text AND attempt = :attempt AND status = 'sending' FOR UPDATE)
ON CONFLICT DO NOTHING;
