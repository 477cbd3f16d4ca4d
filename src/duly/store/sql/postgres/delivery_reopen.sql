-- After an operator's retry the answer is owed again: unsent deliveries wait, sent ones get a successor.
UPDATE delivery SET status = 'held', due_at = NULL
WHERE task_id = ANY(ARRAY(SELECT id FROM jsonb_to_recordset(:batch::jsonb) AS b(id text)))
  AND status || '' = 'pending' AND body IS NULL;
INSERT INTO delivery (id, task_id, channel, target, status, created_at)
SELECT n.id, d.task_id, d.channel, d.target, 'held', :now
FROM jsonb_to_recordset(:successors::jsonb) AS n(id text, "of" text) JOIN delivery d ON d.id = ANY(ARRAY[n."of"]);
