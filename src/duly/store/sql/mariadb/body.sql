-- The parts of one body, in order.
SELECT text, data FROM task_data WHERE task_id = :id AND kind = :kind ORDER BY part;
