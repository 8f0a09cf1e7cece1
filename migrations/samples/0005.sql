-- What a registry may hold before 0006, of what is new in 0005.
INSERT INTO objects (id) VALUES
    ('0190000000007000800000000000002a'), ('0190000000007000800000000000002b'),
    ('0190000000007000800000000000002c'), ('0190000000007000800000000000002d');
INSERT INTO experiments (id, project_id, number, name, artifact_location, created_at_ms, updated_at_ms)
VALUES ('0190000000007000800000000000002a', '01900000000070008000000000000001', 2, 'tries', 's3://bucket/tries', 1700000000000, 1700000000000);
UPDATE projects SET last_experiment = 2 WHERE id = '01900000000070008000000000000001';
INSERT INTO candidates (id, experiment_id, name, status, author_id, created_at_ms, updated_at_ms)
VALUES ('0190000000007000800000000000002b', '0190000000007000800000000000002a', 'run', 'RUNNING', '0190000000007000800000000000000a', 1700000000000, 1700000000000);
INSERT INTO logged_models (id, experiment_id, candidate_id, name, model_type, folder, status, author_id, created_at_ms, updated_at_ms)
VALUES ('0190000000007000800000000000002c', '0190000000007000800000000000002a', '0190000000007000800000000000002b', 'net', '', 'net', 'READY', '0190000000007000800000000000000a', 1700000000000, 1700000000000);
INSERT INTO logged_model_metrics (logged_model_id, name, step, timestamp_ms, run_id, value_order, value, dataset_name, dataset_digest)
VALUES ('0190000000007000800000000000002c', 'auc', 0, 1700000000000, '0190000000007000800000000000002b', 4602678819172646912, 0.5, 'iris', 'd1');
INSERT INTO run_models (candidate_id, logged_model_id, is_output, step)
VALUES ('0190000000007000800000000000002b', '0190000000007000800000000000002c', TRUE, 0);
INSERT INTO datasets (id, experiment_id, name, digest, source_type, source, schema, profile)
VALUES ('0190000000007000800000000000002e', '0190000000007000800000000000002a', 'iris', 'd1', 'local', '/iris', NULL, NULL);
INSERT INTO dataset_inputs (id, candidate_id, dataset_id)
VALUES ('0190000000007000800000000000002d', '0190000000007000800000000000002b', '0190000000007000800000000000002e');
UPDATE model_versions SET stage = 'PRODUCTION', source = 'models:/m-1', logged_model_id = 'm-1' WHERE stage = 'NONE';
