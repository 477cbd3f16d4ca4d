-- Remembers a step once: the first recorded value stands, and only what is new is answered.
INSERT INTO step (task_id, name, n, attempt, digest, duration_ms, created_at, waits_for, due_at)
SELECT b.value->>'id', b.value->>'name', b.value->>'n', b.value->>'attempt', b.value->>'digest',
  b.value->>'duration_ms', :now, b.value->>'waits_for', b.value->>'due_at'
FROM json_each(:batch) b WHERE true ON CONFLICT DO NOTHING RETURNING task_id, name, n;
