-- Puts a line into an inbox once per delivery, only while this attempt owns the delivery.
INSERT INTO notification (delivery_id, task_id, tenant, owner, type, body, created_at)
SELECT :delivery, :task, :tenant, :owner, :type, :body, :now
WHERE EXISTS (SELECT 1 FROM delivery WHERE id = :delivery AND attempt = :attempt AND status = 'sending')
ON CONFLICT DO NOTHING;
