-- Running tasks whose session has ended: nobody will finish them. And how many died there together.
WITH ended AS MATERIALIZED (
  SELECT w.id, w.held FROM (SELECT DISTINCT worker_id FROM task WHERE status = 'running') h
  JOIN worker w ON w.id = ANY(ARRAY[h.worker_id]) WHERE w.ended_at + 0 IS NOT NULL)
SELECT t.id, e.id, e.held FROM ended e
CROSS JOIN LATERAL (SELECT id FROM task WHERE status = 'running' AND worker_id = e.id LIMIT 500) t LIMIT 500;
