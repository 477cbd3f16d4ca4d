-- How these limits stand, locked; those that others have locked are
-- passed by, for who holds some already must not wait for more.
SELECT name, cap, taken, rate, per_ms, tokens, refilled_at, wake_at, updated_at FROM limits
WHERE name = ANY(ARRAY(SELECT jsonb_array_elements_text(:batch::jsonb))) ORDER BY name FOR UPDATE SKIP LOCKED;
