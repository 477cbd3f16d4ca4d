-- The quotas: how many tasks may wait to start, of owners, queues and tenants.
SELECT name, most FROM limits INDEXED BY limits_quota
WHERE most IS NOT NULL AND name > 'owner/' AND name < 'tenant0';
