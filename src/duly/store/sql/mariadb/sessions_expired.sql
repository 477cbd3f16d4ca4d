-- Living sessions whose lease is over.
SELECT id FROM worker WHERE ended_at IS NULL AND lease_until < :now;
