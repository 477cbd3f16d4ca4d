-- One row while the session lives; none means: it was ended, take a new one.
SELECT paused, limited FROM worker WHERE id = :session AND ended_at IS NULL;
