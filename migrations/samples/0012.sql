-- A published version of the sample's model, and a whole model, that were deleted for good.
INSERT INTO version_tombstones (project_id, model, version, precedence, prerelease, number, digest)
SELECT id, 'ocr', '7.0.0', 'a7a0a0~', FALSE, 7, 'abc' FROM projects WHERE path = 'sample';
INSERT INTO model_tombstones (project_id, name, last_version) SELECT id, 'gone', 41 FROM projects WHERE path = 'sample';
-- A model and a project that had other names.
INSERT INTO former_names (project_id, name, model_id) SELECT project_id, 'reader', id FROM models WHERE name = 'ocr';
INSERT INTO former_paths (path, project_id) SELECT 'example', id FROM projects WHERE path = 'sample';
