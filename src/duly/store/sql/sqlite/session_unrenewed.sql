-- Those whose lease still ends when a reader saw it end, if that is given: they are locked, not to be renewed now.
SELECT w.id FROM json_each(:batch) b CROSS JOIN worker w ON w.id = b.value->>'id'
WHERE w.lease_until = coalesce(b.value->>'until', w.lease_until);
