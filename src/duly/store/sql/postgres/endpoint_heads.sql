-- Which delivery is next in the line of each of these ordered endpoints, if none is being sent. Others that look
-- at the same lines now wait: who holds the lock reads what they decide on in a later statement.
SELECT id FROM endpoint WHERE id = ANY(ARRAY(SELECT jsonb_array_elements_text(:batch::jsonb)))
ORDER BY id FOR UPDATE;
SELECT e.id, (SELECT h.id FROM delivery h WHERE h.endpoint_id = e.id AND h.status = 'pending' ORDER BY h.id LIMIT 1)
FROM jsonb_array_elements_text(:batch::jsonb) AS b(id) JOIN endpoint e ON e.id = ANY(ARRAY[b.id])
WHERE NOT EXISTS (SELECT 1 FROM delivery s WHERE s.endpoint_id = e.id AND s.status = 'sending');
