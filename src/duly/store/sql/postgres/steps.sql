-- Remembers a step once: the first recorded value stands, and only what is new is answered.
INSERT INTO step (task_id, name, n, attempt, digest, duration_ms, created_at, waits_for, due_at)
SELECT id, name, n, attempt, digest, duration_ms, :now, waits_for, due_at
FROM jsonb_to_recordset(:batch::jsonb) AS b(id text, name text, n int, attempt int, digest text, duration_ms bigint,
  waits_for text, due_at bigint)
ON CONFLICT DO NOTHING RETURNING task_id, name, n;
