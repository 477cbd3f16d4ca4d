-- Advances a running task's timeline number, progress and code version, only for the attempt that runs it.
UPDATE task SET seq = r->>'seq', touched_at = max(touched_at, :now),
  progress = coalesce(r->>'progress', progress), progress_message = coalesce(r->>'message', progress_message),
  code_version = coalesce(r->>'version', code_version)
FROM (SELECT value AS r FROM json_each(:batch))
WHERE task.id = r->>'id' AND task.attempt = r->>'attempt' AND +task.status = 'running';
