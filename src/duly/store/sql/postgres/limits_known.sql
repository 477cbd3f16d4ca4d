-- Locks the row that stands for the list of limits: who changes the list and the start of a session, which must
-- see each other, both come here first and read in a later statement.
INSERT INTO limits (name, updated_at) VALUES ('*', :now) ON CONFLICT (name) DO UPDATE SET updated_at = limits.updated_at;
