-- Enters what an answer cost, once: the same answer sent again changes nothing.
INSERT INTO ledger (task_id, step, n, attempt, at, day, tenant, owner, task_type, provider, model, prompt,
  prompt_tokens, completion_tokens, cached_tokens, cost_nanos, currency, priced_as_of, tries, duration_ms, kept)
SELECT b.value->>'task_id', b.value->>'step', b.value->>'n', b.value->>'attempt', :now, b.value->>'day',
  b.value->>'tenant', b.value->>'owner', b.value->>'task_type', b.value->>'provider', b.value->>'model',
  b.value->>'prompt', b.value->>'prompt_tokens', b.value->>'completion_tokens', b.value->>'cached_tokens',
  b.value->>'cost_nanos', b.value->>'currency', b.value->>'priced_as_of', b.value->>'tries',
  b.value->>'duration_ms', b.value->>'kept'
FROM json_each(:batch) b WHERE true ON CONFLICT DO NOTHING;
