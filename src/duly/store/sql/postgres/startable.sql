-- Whether one queue has a pending task that this worker knows; the look before a claim, without a lock.
-- Rank by rank, each from its place on: in the index's order, which readers may otherwise make by sorting.
SELECT set_config('enable_sort', 'off', true);
SELECT 1 FROM (
  SELECT p.* FROM jsonb_array_elements_text(:places::jsonb) WITH ORDINALITY AS r(place, rank)
  CROSS JOIN LATERAL (SELECT task_type, code_version, due_at FROM task
    WHERE status = 'pending' AND queue = :queue AND suspect = 0 AND rank = r.rank AND fair_at >= r.place::bigint
    ORDER BY fair_at, id LIMIT 1000) p LIMIT 1000) c
WHERE task_type || coalesce('@' || code_version, '') IN (SELECT jsonb_array_elements_text(:batch::jsonb))
  AND (due_at IS NULL OR due_at > :now)
LIMIT 1;
