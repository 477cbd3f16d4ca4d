-- The first pending tasks of one queue in claim order, and how far their timelines are; suspects are left out.
SELECT id, rank, seq FROM task
WHERE status = 'pending' AND queue = :queue AND suspect = 0 AND (due_at IS NULL OR due_at > :now)
ORDER BY rank, fair_at, id LIMIT :most;
