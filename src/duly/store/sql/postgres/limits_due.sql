-- The limits in which the clock must look for a token now.
SELECT name FROM limits WHERE wake_at <= :now ORDER BY wake_at LIMIT :limit;
