-- Living sessions whose lease is over.
SELECT id, lease_until FROM worker WHERE ended_at IS NULL AND lease_until < :now;
