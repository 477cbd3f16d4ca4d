-- How these limits stand, locked in the order of their names: whoever finds them locked waits.
SELECT name, cap, taken, rate, per_ms, tokens, refilled_at, wake_at, updated_at FROM limits
WHERE name = ANY(ARRAY(SELECT jsonb_array_elements_text(:batch::jsonb))) ORDER BY name FOR UPDATE;
