-- One row while the session lives; none means: it was ended, take a new one.
SELECT paused FROM worker WHERE id = :session AND ended_at IS NULL;
