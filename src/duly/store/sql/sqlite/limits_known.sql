-- Sees to it that there is the row which stands for the list of limits.
INSERT INTO limits (name, updated_at) VALUES ('*', :now) ON CONFLICT DO NOTHING;
