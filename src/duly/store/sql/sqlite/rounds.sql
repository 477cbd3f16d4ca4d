-- Forgets the attempts of a batch: a round that ended in a wait leaves none.
DELETE FROM attempt WHERE (task_id, attempt) IN (
  SELECT value->>'id', value->>'attempt' FROM json_each(:batch));
