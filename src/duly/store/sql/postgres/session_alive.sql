-- One row while the session lives; none means: it was ended, take a new one. It cannot be ended before our
-- commit: who ends it waits, and then sees what we claimed. Who renews it need not wait.
SELECT paused, limited FROM worker WHERE id = :session AND ended_at IS NULL FOR KEY SHARE;
