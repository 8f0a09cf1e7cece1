-- A model, its experiment and a version: the rows that come with them are made by the database.
INSERT INTO models (id, project_id, name, description, author_id, created_at_ms, updated_at_ms)
SELECT '01900000000070008000000000000111', id, 'made-with-less', '', author_id, 1, 1 FROM projects LIMIT 1;
INSERT INTO experiments (id, project_id, model_id, name, number, created_at_ms)
SELECT '01900000000070008000000000000112', project_id, id, '[model]made-with-less', 111, 1
FROM models WHERE id = '01900000000070008000000000000111';
INSERT INTO tags (owner_id, key, value) VALUES ('01900000000070008000000000000112', 'kept', 'by its object');
