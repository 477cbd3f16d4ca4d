-- Notes once how many tasks each ended session still held; a later statement than the end, so no claim is missed.
UPDATE worker SET held = (SELECT count(*) FROM (SELECT FROM task t WHERE t.status = 'running'
  AND t.worker_id BETWEEN worker.id AND worker.id ORDER BY t.worker_id) held_by_it)
WHERE held IS NULL AND ended_at IS NOT NULL AND id = ANY(ARRAY(SELECT jsonb_array_elements_text(:batch::jsonb)));
