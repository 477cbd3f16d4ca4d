-- Enters what an answer cost, once: the same answer sent again changes nothing.
INSERT INTO ledger (task_id, step, n, attempt, at, day, tenant, owner, task_type, provider, model, prompt,
  prompt_tokens, completion_tokens, cached_tokens, cost_nanos, currency, priced_as_of, tries, duration_ms, kept)
SELECT task_id, step, n, attempt, :now, day, tenant, owner, task_type, provider, model, prompt,
  prompt_tokens, completion_tokens, cached_tokens, cost_nanos, currency, priced_as_of, tries, duration_ms, kept
FROM JSON_TABLE(:batch, '$[*]' COLUMNS (
  task_id VARCHAR(36) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.task_id',
  step VARCHAR(100) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.step', n INT PATH '$.n',
  attempt INT PATH '$.attempt', day INT PATH '$.day',
  tenant VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.tenant',
  owner VARCHAR(64) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.owner',
  task_type VARCHAR(100) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.task_type',
  provider VARCHAR(100) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.provider',
  model VARCHAR(200) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.model',
  prompt VARCHAR(200) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.prompt',
  prompt_tokens BIGINT PATH '$.prompt_tokens', completion_tokens BIGINT PATH '$.completion_tokens',
  cached_tokens BIGINT PATH '$.cached_tokens', cost_nanos BIGINT PATH '$.cost_nanos',
  currency VARCHAR(3) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.currency',
  priced_as_of VARCHAR(40) CHARSET utf8mb4 COLLATE utf8mb4_bin PATH '$.priced_as_of',
  tries INT PATH '$.tries', duration_ms BIGINT PATH '$.duration_ms', kept SMALLINT PATH '$.kept')) b
ON DUPLICATE KEY UPDATE task_id = ledger.task_id;
