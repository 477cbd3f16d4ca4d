-- Which delivery is next in the line of each of these ordered endpoints, if none is being sent.
SELECT e.id, (SELECT h.id FROM delivery h WHERE h.endpoint_id = e.id AND h.status = 'pending' ORDER BY h.id LIMIT 1)
FROM json_each(:batch) b CROSS JOIN endpoint e ON e.id = b.value
WHERE NOT EXISTS (SELECT 1 FROM delivery s WHERE s.endpoint_id = e.id AND s.status = 'sending');
