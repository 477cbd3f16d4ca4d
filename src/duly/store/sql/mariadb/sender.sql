-- The oldest living session that serves no type: the one that tells the broker which tasks are due.
SELECT id FROM worker WHERE ended_at IS NULL AND lease_until >= :now AND types = '' ORDER BY id LIMIT 1;
