-- Notes in which limits the attempts of the batch, which were claimed in this transaction, took room.
WITH b AS MATERIALIZED (SELECT value AS r FROM json_each(:batch))
UPDATE task SET holds = r->>'holds' FROM b WHERE task.id = r->>'id';
