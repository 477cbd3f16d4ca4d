-- A claim in one statement: while the session lives, the next pending tasks of one queue that this worker knows,
-- in claim order, become this session's, once; attempt + 1 is the new fence. It cannot be ended before our commit:
-- who ends it waits, and then sees what we claimed. No row means that it was ended; rank 0, that there are limits,
-- which are the verb's. The parts are those of candidates.sql, session_alive.sql and claim.sql.
WITH seen AS MATERIALIZED (SELECT t.id, t.task_type, t.limit_key FROM (
  SELECT p.* FROM jsonb_array_elements_text(:places::jsonb) WITH ORDINALITY AS r(place, rank)
  CROSS JOIN LATERAL (SELECT id, task_type, code_version, due_at FROM task
    WHERE status = 'pending' AND queue = :queue AND suspect = 0 AND rank = r.rank AND fair_at >= r.place::bigint
    ORDER BY fair_at, id LIMIT 1000) p LIMIT 1000) c
  CROSS JOIN LATERAL (SELECT id, task_type, limit_key FROM task
    WHERE id = c.id AND status || '' = 'pending' AND suspect + 0 = 0 AND queue || '' = :queue
      AND code_version IS NOT DISTINCT FROM c.code_version FOR UPDATE SKIP LOCKED) t
  WHERE c.task_type || coalesce('@' || c.code_version, '') = ANY(ARRAY(SELECT jsonb_array_elements_text(:batch::jsonb)))
    AND (c.due_at IS NULL OR c.due_at > :now)
  LIMIT :free),
live AS MATERIALIZED (SELECT paused, coalesce(limited, '') AS limited FROM worker
  WHERE id = :session AND ended_at IS NULL AND EXISTS (SELECT FROM seen) FOR KEY SHARE),
bound AS MATERIALIZED (SELECT FROM seen, live WHERE limit_key IS NOT NULL
  OR strpos(limited, ',queue/' || :queue || ',') + strpos(limited, ',type/' || task_type || ',') > 0 LIMIT 1),
mine AS (
  UPDATE task t SET status = 'running', attempt = t.attempt + 1, worker_id = :session, due_at = NULL,
    wait_kind = NULL, holds = NULL, started_at = coalesce(t.started_at, :now), seq = t.seq + 1,
    touched_at = greatest(t.touched_at, :now)
  FROM (SELECT id, row_number() OVER () AS place FROM seen
    WHERE EXISTS (SELECT FROM live WHERE strpos(coalesce(paused, ''), ',' || :queue || ',') = 0)
      AND NOT EXISTS (SELECT FROM bound)) b
  WHERE t.id = ANY(ARRAY[b.id]) AND t.status || '' = 'pending'
  RETURNING b.place, t.id, t.attempt, t.task_type, t.queue, t.tenant, t.owner, t.timeout_ms, t.deadline_at,
    t.retry_count, t.max_retries, t.metadata, t.parent_id, t.suspect, t.seq, t.touched_at, t.rank),
begun AS (INSERT INTO attempt (task_id, attempt, worker_id, started_at) SELECT id, attempt, :session, :now FROM mine),
told AS (INSERT INTO event (task_id, seq, at, type, data)
  SELECT id, seq, touched_at, 'started', json_build_object('attempt', attempt)::text FROM mine)
SELECT coalesce(rank, CASE WHEN EXISTS (SELECT FROM bound) THEN 0 END), id, attempt, task_type, queue, tenant, owner,
  timeout_ms, deadline_at, retry_count, max_retries, metadata, parent_id, suspect, text, packed
FROM (SELECT WHERE EXISTS (SELECT FROM live) OR NOT EXISTS (SELECT FROM seen) AND EXISTS (SELECT FROM worker WHERE id = :session AND ended_at IS NULL)) alive
LEFT JOIN (SELECT mine.*, d.text, CASE WHEN d.data IS NOT NULL THEN (SELECT string_agg(data, ''::bytea
    ORDER BY part) FROM task_data WHERE task_id = mine.id AND kind = 'input') END AS packed
  FROM mine LEFT JOIN task_data d ON d.task_id = ANY(ARRAY[mine.id]) AND d.kind = 'input' AND d.part = 0) m ON true
ORDER BY place;
