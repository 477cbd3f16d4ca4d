-- Which of these limits there are, locked by others or not.
SELECT name FROM limits WHERE name = ANY(ARRAY(SELECT jsonb_array_elements_text(:batch::jsonb)));
