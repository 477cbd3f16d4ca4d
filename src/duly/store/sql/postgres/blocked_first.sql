-- Of each limit the next task that waits for room in it, locked; those that others have locked are passed by.
SELECT b.name, t.id FROM jsonb_array_elements_text(:batch::jsonb) AS b(name)
CROSS JOIN LATERAL (SELECT id FROM task WHERE status = 'blocked' AND blocked_on = b.name
  ORDER BY rank, fair_at, id LIMIT 1 FOR UPDATE SKIP LOCKED) t;
