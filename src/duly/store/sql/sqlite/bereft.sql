-- Notes tasks whose end the families have not been told of.
INSERT INTO bereft (task_id) SELECT value->>'id' FROM json_each(:batch) WHERE true ON CONFLICT DO NOTHING;
