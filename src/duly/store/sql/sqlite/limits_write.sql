-- Writes what became of limits that are locked.
WITH b AS MATERIALIZED (SELECT value AS r FROM json_each(:batch))
UPDATE limits SET taken = r->>'taken', tokens = r->>'tokens', refilled_at = r->>'refilled_at',
  wake_at = r->>'wake_at', updated_at = :now FROM b WHERE limits.name = r->>'name';
