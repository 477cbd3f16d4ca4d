-- Extends the lease of a living session; a session that was ended stays ended (no row is returned).
UPDATE worker SET lease_until = :now + :lease WHERE id = :session AND ended_at IS NULL;
SELECT id FROM worker WHERE id = :session AND ended_at IS NULL;
