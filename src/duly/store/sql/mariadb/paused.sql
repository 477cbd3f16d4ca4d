-- One row while the queue is paused; without a lock, for looks before a claim. A claim asks its own session.
SELECT 1 FROM queue WHERE name = :queue AND paused_at IS NOT NULL;
