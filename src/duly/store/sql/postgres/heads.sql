-- The least pending ticket of each rank of one queue, found from these places on; without a lock.
SELECT (SELECT h.fair_at FROM task h WHERE h.status = 'pending' AND h.queue = :queue AND h.suspect = 0
  AND h.rank = r.rank AND h.fair_at >= r.place::bigint ORDER BY h.fair_at LIMIT 1)
FROM jsonb_array_elements_text(:places::jsonb) WITH ORDINALITY AS r(place, rank);
