-- Which of these limits there are, locked by others or not.
SELECT l.name FROM json_each(:batch) b CROSS JOIN limits l ON l.name = b.value;
