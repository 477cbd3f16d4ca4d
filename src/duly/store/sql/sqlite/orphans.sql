-- Running tasks whose session has ended: nobody will finish them. And how many died there together.
SELECT t.id, w.id, w.held FROM task t CROSS JOIN worker w ON w.id = t.worker_id
WHERE t.status = 'running' AND w.ended_at IS NOT NULL ORDER BY t.id LIMIT 500;
