-- What MLflow clients know: experiments and runs without a model, logged models, datasets, stages, and
-- where the files of a version came from.

-- Tags, params, metrics and files hang on more kinds of things now, and nothing asks which one it is.
ALTER TABLE objects DROP COLUMN kind;

-- The number is what MLflow calls the id of an experiment: 0 is the default one of its project.
ALTER TABLE projects ADD COLUMN last_experiment BIGINT NOT NULL DEFAULT 0;
ALTER TABLE experiments ADD COLUMN number BIGINT NOT NULL DEFAULT 0;
ALTER TABLE experiments ADD COLUMN artifact_location TEXT; -- elsewhere, as the client wants it; NULL is here
ALTER TABLE experiments ADD COLUMN updated_at_ms BIGINT NOT NULL DEFAULT 0;
INSERT INTO objects (id) SELECT id FROM experiments;
UPDATE experiments SET updated_at_ms = created_at_ms, number = (
    SELECT COUNT(*) FROM experiments e
    WHERE e.project_id = experiments.project_id AND e.id <= experiments.id);
UPDATE projects SET last_experiment = (SELECT COUNT(*) FROM experiments e WHERE e.project_id = projects.id);
INSERT INTO objects (id) SELECT id FROM projects;
INSERT INTO experiments (id, project_id, name, number, created_at_ms, updated_at_ms)
SELECT id, id, 'Default', 0, created_at_ms, created_at_ms FROM projects;
CREATE UNIQUE INDEX experiments_by_number ON experiments (project_id, number);

ALTER TABLE model_versions ADD COLUMN project_id TEXT REFERENCES projects (id);
UPDATE model_versions SET project_id = (SELECT m.project_id FROM models m WHERE m.id = model_versions.model_id);
ALTER TABLE model_versions ADD COLUMN stage TEXT NOT NULL DEFAULT 'NONE'
    CHECK (stage IN ('NONE', 'STAGING', 'PRODUCTION', 'ARCHIVED'));
ALTER TABLE model_versions ADD COLUMN location TEXT; -- of its files, where that is elsewhere
ALTER TABLE model_versions ADD COLUMN source TEXT; -- as an MLflow client gave it, like the next three
ALTER TABLE model_versions ADD COLUMN run_id TEXT;
ALTER TABLE model_versions ADD COLUMN run_link TEXT;
ALTER TABLE model_versions ADD COLUMN logged_model_id TEXT;
UPDATE model_versions SET run_id = candidate_id;
CREATE INDEX model_versions_in_updated_order ON model_versions (model_id, updated_at_ms, id);
CREATE INDEX model_versions_of_project ON model_versions (project_id, updated_at_ms, id);
CREATE INDEX model_versions_by_stage ON model_versions (model_id, stage, rank, id) WHERE deleted_at_ms IS NULL;
CREATE INDEX model_versions_of_run ON model_versions (run_id);

-- A model as a run logged it, before anybody registers it.
CREATE TABLE logged_models (
    id             TEXT   NOT NULL PRIMARY KEY REFERENCES objects (id) ON DELETE CASCADE,
    experiment_id  TEXT   NOT NULL REFERENCES experiments (id),
    candidate_id   TEXT REFERENCES candidates (id),
    name           TEXT COLLATE "C" NOT NULL,
    model_type     TEXT   NOT NULL,
    folder         TEXT COLLATE "C", -- where its files are among those of the run, once it is finished
    status         TEXT   NOT NULL CHECK (status IN ('PENDING', 'READY', 'FAILED')),
    author_id      TEXT   NOT NULL REFERENCES users (id),
    created_at_ms  BIGINT NOT NULL,
    updated_at_ms  BIGINT NOT NULL,
    deleted_at_ms  BIGINT
);
CREATE INDEX logged_models_of_experiment ON logged_models (experiment_id, created_at_ms, id);
CREATE INDEX logged_models_of_candidate ON logged_models (candidate_id);

-- Metrics that a run measured of a logged model, perhaps on a dataset. value and value_order as in metric_points.
CREATE TABLE logged_model_metrics (
    logged_model_id TEXT   NOT NULL REFERENCES logged_models (id) ON DELETE CASCADE,
    name            TEXT COLLATE "C" NOT NULL,
    step            BIGINT NOT NULL,
    timestamp_ms    BIGINT NOT NULL,
    run_id          TEXT   NOT NULL,
    value_order     BIGINT NOT NULL,
    value           DOUBLE PRECISION,
    dataset_name    TEXT   NOT NULL,
    dataset_digest  TEXT   NOT NULL,
    PRIMARY KEY (logged_model_id, name, step, timestamp_ms, run_id)
);

-- Which logged models a run was given or made.
CREATE TABLE run_models (
    candidate_id    TEXT    NOT NULL REFERENCES candidates (id) ON DELETE CASCADE,
    logged_model_id TEXT    NOT NULL REFERENCES logged_models (id) ON DELETE CASCADE,
    is_output       BOOLEAN NOT NULL,
    step            BIGINT  NOT NULL,
    PRIMARY KEY (candidate_id, logged_model_id, is_output)
);
CREATE INDEX run_models_of_model ON run_models (logged_model_id);

-- The data that runs were trained on.
CREATE TABLE datasets (
    id            TEXT NOT NULL PRIMARY KEY,
    experiment_id TEXT NOT NULL REFERENCES experiments (id),
    name          TEXT COLLATE "C" NOT NULL,
    digest        TEXT COLLATE "C" NOT NULL,
    source_type   TEXT NOT NULL,
    source        TEXT NOT NULL,
    schema        TEXT,
    profile       TEXT,
    UNIQUE (experiment_id, name, digest)
);

-- A dataset as an input of a run; its tags, such as mlflow.data.context, hang on its own object.
CREATE TABLE dataset_inputs (
    id           TEXT NOT NULL PRIMARY KEY REFERENCES objects (id) ON DELETE CASCADE,
    candidate_id TEXT NOT NULL REFERENCES candidates (id) ON DELETE CASCADE,
    dataset_id   TEXT NOT NULL REFERENCES datasets (id),
    UNIQUE (candidate_id, dataset_id)
);
CREATE INDEX inputs_of_dataset ON dataset_inputs (dataset_id);
