-- How these limits stand, read under the write lock; nobody else can have them.
SELECT l.name, l.cap, l.taken, l.rate, l.per_ms, l.tokens, l.refilled_at, l.wake_at, l.updated_at
FROM json_each(:batch) b CROSS JOIN limits l ON l.name = b.value ORDER BY l.name;
