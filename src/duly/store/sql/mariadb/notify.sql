-- Puts a line into an inbox once per delivery, only while this attempt owns the delivery.
SELECT id FROM delivery WHERE id = :delivery AND attempt = :attempt AND status = 'sending' FOR UPDATE;
INSERT INTO notification (delivery_id, task_id, tenant, owner, type, body, created_at)
SELECT d.id, :task, :tenant, :owner, :type, :body, :now
FROM delivery d WHERE d.id = :delivery AND d.attempt = :attempt AND d.status = 'sending'
ON DUPLICATE KEY UPDATE delivery_id = notification.delivery_id;
