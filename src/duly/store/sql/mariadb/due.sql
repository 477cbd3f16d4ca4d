-- Tasks on which the clock must act now, oldest first, a bounded number per state.
(SELECT id FROM task WHERE status = 'scheduled' AND due_at <= :now ORDER BY due_at LIMIT :limit)
UNION ALL (SELECT id FROM task WHERE status = 'retry' AND due_at <= :now ORDER BY due_at LIMIT :limit)
UNION ALL (SELECT id FROM task WHERE status = 'waiting' AND due_at <= :now ORDER BY due_at LIMIT :limit)
UNION ALL (SELECT id FROM task WHERE status = 'pending' AND due_at <= :now ORDER BY due_at LIMIT :limit)
UNION ALL (SELECT id FROM task WHERE status = 'blocked' AND due_at <= :now ORDER BY due_at LIMIT :limit);
