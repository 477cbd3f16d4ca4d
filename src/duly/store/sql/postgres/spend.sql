-- Enters what an answer cost, once: the same answer sent again changes nothing.
INSERT INTO ledger (task_id, step, n, attempt, at, day, tenant, owner, task_type, provider, model, prompt,
  prompt_tokens, completion_tokens, cached_tokens, cost_nanos, currency, priced_as_of, tries, duration_ms, kept)
SELECT task_id, step, n, attempt, :now, day, tenant, owner, task_type, provider, model, prompt,
  prompt_tokens, completion_tokens, cached_tokens, cost_nanos, currency, priced_as_of, tries, duration_ms, kept
FROM jsonb_to_recordset(:batch::jsonb) AS b(task_id text, step text, n int, attempt int, day int, tenant text,
  owner text, task_type text, provider text, model text, prompt text, prompt_tokens bigint,
  completion_tokens bigint, cached_tokens bigint, cost_nanos bigint, currency text, priced_as_of text, tries int,
  duration_ms bigint, kept smallint)
ON CONFLICT DO NOTHING;
