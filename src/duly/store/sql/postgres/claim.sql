-- Gives each pending task of the batch to this session, once; attempt + 1 is the new fence. All that is written
-- comes from the rows that the update took. With the input, if it is small.
WITH mine AS (
  UPDATE task t SET status = 'running', attempt = t.attempt + 1, worker_id = :session, due_at = NULL,
    wait_kind = NULL, holds = :holds::jsonb->>t.id, started_at = coalesce(t.started_at, :now), seq = t.seq + 1,
    touched_at = greatest(t.touched_at, :now)
  FROM jsonb_array_elements_text(:batch::jsonb) WITH ORDINALITY AS b(id, place)
  WHERE t.id = ANY(ARRAY[b.id]) AND t.status || '' = 'pending'
  RETURNING b.place, t.id, t.attempt, t.task_type, t.queue, t.tenant, t.owner, t.timeout_ms, t.deadline_at,
    t.retry_count, t.max_retries, t.metadata, t.parent_id, t.suspect, t.seq, t.touched_at),
begun AS (
  INSERT INTO attempt (task_id, attempt, worker_id, started_at) SELECT id, attempt, :session, :now FROM mine),
told AS (
  INSERT INTO event (task_id, seq, at, type, data)
  SELECT id, seq, touched_at, 'started', json_build_object('attempt', attempt)::text FROM mine)
SELECT id, attempt, task_type, queue, tenant, owner, timeout_ms, deadline_at, retry_count, max_retries, metadata,
  parent_id, suspect, d.text
FROM mine LEFT JOIN task_data d ON d.task_id = ANY(ARRAY[mine.id]) AND d.kind = 'input' AND d.part = 0
ORDER BY place;
