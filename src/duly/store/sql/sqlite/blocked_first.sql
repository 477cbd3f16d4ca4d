-- Of each limit the next task that waits for room in it.
SELECT b.value, (SELECT id FROM task WHERE status = 'blocked' AND blocked_on = b.value
  ORDER BY rank, fair_at, id LIMIT 1) AS id FROM json_each(:batch) b WHERE id IS NOT NULL;
