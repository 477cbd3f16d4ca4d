-- Due deliveries, the longest due first; a webhook target with 8 sends under way gives its place to others,
-- and so does one that is slow: its backlog hides nobody.
WITH busy AS (SELECT channel, target, count(*) AS sends FROM delivery WHERE status = 'sending'
  AND channel <> 'inbox' GROUP BY channel, target),
due AS (SELECT id, channel, target, due_at FROM delivery FORCE INDEX (delivery_clock)
  WHERE status = 'pending' AND due_at <= :now
  AND (channel, target) NOT IN (SELECT channel, target FROM busy WHERE sends >= 8)
  ORDER BY due_at LIMIT 500),
free AS (SELECT d.id, d.channel, d.due_at, coalesce(b.sends, 0) + row_number() OVER (
    PARTITION BY d.channel, d.target ORDER BY d.due_at, d.id) AS place
  FROM due d LEFT JOIN busy b ON b.channel = d.channel AND b.target = d.target)
SELECT id FROM free WHERE place <= 8 OR channel = 'inbox' ORDER BY due_at, id LIMIT :limit;
