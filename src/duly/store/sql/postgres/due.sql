-- Tasks on which the clock must act now, oldest first, a bounded number per state; and the
-- limits in which it must look for a token: their names hold a slash, and ids none.
(SELECT id FROM task WHERE status = 'scheduled' AND due_at <= :now ORDER BY due_at LIMIT :limit)
UNION ALL (SELECT id FROM task WHERE status = 'retry' AND due_at <= :now ORDER BY due_at LIMIT :limit)
UNION ALL (SELECT id FROM task WHERE status = 'waiting' AND due_at <= :now ORDER BY due_at LIMIT :limit)
UNION ALL (SELECT id FROM task WHERE status = 'pending' AND due_at <= :now ORDER BY due_at LIMIT :limit)
UNION ALL (SELECT id FROM task WHERE status = 'blocked' AND due_at <= :now ORDER BY due_at LIMIT :limit)
UNION ALL (SELECT name FROM limits WHERE wake_at <= :now ORDER BY wake_at LIMIT :limit);
