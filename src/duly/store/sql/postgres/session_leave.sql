-- Notes of processes that end on purpose that nothing which they hold can have killed them.
UPDATE worker SET held = 0 WHERE held IS NULL AND id = ANY(ARRAY(SELECT jsonb_array_elements_text(:batch::jsonb)));
