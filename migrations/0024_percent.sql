-- Names of files with a percent sign: MLflow's clients decode those, and ask for what they make of them.
CREATE INDEX files_with_percent ON files (owner_id, path) WHERE path <> REPLACE(path, '%', '');
