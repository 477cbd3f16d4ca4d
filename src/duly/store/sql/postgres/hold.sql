-- Notes in which limits the attempts of the batch, which were claimed in this transaction, took room.
UPDATE task t SET holds = r.holds FROM jsonb_to_recordset(:batch::jsonb) AS r(id text, holds text)
WHERE t.id = ANY(ARRAY[r.id]);
