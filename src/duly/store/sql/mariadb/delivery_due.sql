-- Due deliveries, the longest due first; a webhook target with 8 sends under way gives its place to others,
-- and so does one that is slow: its backlog hides nobody. Of an ordered endpoint nothing is due while one is
-- sent, or waits to be sent again; its id comes along, for the first in its line is the one to take.
WITH busy AS (SELECT channel, target, count(*) AS sends FROM delivery WHERE status = 'sending'
  AND channel <> 'inbox' GROUP BY channel, target),
stopped AS (SELECT e.id FROM endpoint e FORCE INDEX (endpoint_ordered) WHERE e.ordered = 1 AND (
  EXISTS (SELECT 1 FROM delivery s FORCE INDEX (delivery_endpoint) WHERE s.endpoint_id = e.id AND s.status = 'sending') OR :now < (
    SELECT h.due_at FROM delivery h FORCE INDEX (delivery_endpoint) WHERE h.endpoint_id = e.id AND h.status = 'pending' ORDER BY h.id LIMIT 1))),
due AS (SELECT id, channel, target, due_at, endpoint_id FROM delivery FORCE INDEX (delivery_clock) WHERE status = 'pending' AND due_at <= :now
  AND (channel, target) NOT IN (SELECT channel, target FROM busy WHERE sends >= 8)
  AND (endpoint_id IS NULL OR endpoint_id NOT IN (SELECT id FROM stopped))
  ORDER BY due_at LIMIT 500),
free AS (SELECT d.id, d.channel, d.due_at, d.endpoint_id, coalesce(b.sends, 0) + row_number() OVER (
    PARTITION BY d.channel, d.target ORDER BY d.due_at, d.id) AS place
  FROM due d LEFT JOIN busy b ON b.channel = d.channel AND b.target = d.target)
SELECT f.id, e.id FROM free f LEFT JOIN endpoint e FORCE INDEX (PRIMARY) ON e.id = f.endpoint_id AND e.ordered = 1
WHERE place <= CASE WHEN e.id IS NULL THEN 8 ELSE 1 END OR channel = 'inbox' ORDER BY due_at, f.id LIMIT :limit;
