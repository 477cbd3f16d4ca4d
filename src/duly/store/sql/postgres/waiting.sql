-- The first pending tasks of one queue in claim order, and how far their timelines are, without a lock; suspects
-- are left out. Rank by rank, each from its place on: in the index's order, which readers may otherwise make by
-- sorting.
SELECT set_config('enable_sort', 'off', true);
SELECT p.id, p.rank, p.seq FROM jsonb_array_elements_text(:places::jsonb) WITH ORDINALITY AS r(place, rank)
CROSS JOIN LATERAL (SELECT id, rank, seq FROM task
  WHERE status = 'pending' AND queue = :queue AND suspect = 0 AND rank = r.rank AND fair_at >= r.place::bigint
    AND (due_at IS NULL OR due_at > :now)
  ORDER BY fair_at, id LIMIT :most) p LIMIT :most;
