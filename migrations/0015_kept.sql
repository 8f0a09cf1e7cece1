-- Whether a version should still be used, when its files were last asked for, and which name something had last.

-- At most one of the two: deprecated, or yanked.
ALTER TABLE model_versions ADD COLUMN deprecated_at_ms BIGINT;
ALTER TABLE model_versions ADD COLUMN yanked_at_ms BIGINT;
ALTER TABLE model_versions ADD COLUMN support_reason TEXT;
ALTER TABLE model_versions ADD COLUMN successor TEXT; -- the version of the model to use instead
-- NULL: never. What is from before this step has 0: nobody knows, so it counts as fetched.
ALTER TABLE model_versions ADD COLUMN last_fetched_at_ms BIGINT DEFAULT 0;

-- What `latest`, a range or a stage can mean.
DROP INDEX model_versions_by_rank;
CREATE INDEX model_versions_by_rank ON model_versions (model_id, rank, id)
WHERE deleted_at_ms IS NULL AND yanked_at_ms IS NULL;
DROP INDEX model_versions_by_stage;
CREATE INDEX model_versions_by_stage ON model_versions (model_id, stage, rank, id)
WHERE deleted_at_ms IS NULL AND yanked_at_ms IS NULL;

-- Until when something had a name; of before: nobody knows. And whether the name leads to it: until it is given again,
-- and never after that, whatever becomes of who has it then.
ALTER TABLE former_names ADD COLUMN until_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE former_names ADD COLUMN leads BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE former_paths ADD COLUMN until_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE former_paths ADD COLUMN leads BOOLEAN NOT NULL DEFAULT TRUE;

-- What says of a model that only yanked versions are published.
CREATE INDEX model_versions_yanked ON model_versions (model_id)
WHERE yanked_at_ms IS NOT NULL AND deleted_at_ms IS NULL;
