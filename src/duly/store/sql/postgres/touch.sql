-- Advances a running task's timeline number, progress and code version, only for the attempt that runs it.
UPDATE task SET seq = r.seq, touched_at = greatest(touched_at, :now),
  progress = coalesce(r.progress, task.progress), progress_message = coalesce(r.message, task.progress_message),
  code_version = coalesce(r.version, task.code_version)
FROM jsonb_to_recordset(:batch::jsonb) AS r(id text, attempt int, seq int, progress float8, message text,
  version text)
WHERE task.id = ANY(ARRAY[r.id]) AND task.attempt = r.attempt AND task.status || '' = 'running';
