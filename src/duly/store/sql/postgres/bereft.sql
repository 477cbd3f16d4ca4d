-- Notes tasks whose end the families have not been told of.
INSERT INTO bereft (task_id) SELECT id FROM jsonb_to_recordset(:batch::jsonb) AS b(id text) ON CONFLICT DO NOTHING;
