-- The last number of an experiment that a project gave. Beside the project, whose own row says who may see it and
-- is kept in memory until it changes.
CREATE TABLE project_numbers (
    project_id      TEXT   NOT NULL PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
    last_experiment BIGINT NOT NULL
);
INSERT INTO project_numbers (project_id, last_experiment) SELECT id, last_experiment FROM projects;
ALTER TABLE projects DROP COLUMN last_experiment;

-- Points are the rows that are written most. SQLite keeps a table and its primary key apart unless told: here
-- the key is the table, which halves the room that they take.
CREATE TABLE points (
    owner_id     TEXT   NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
    name         TEXT   NOT NULL,
    step         BIGINT NOT NULL,
    timestamp_ms BIGINT NOT NULL,
    value_order  BIGINT NOT NULL,
    value        DOUBLE PRECISION,
    PRIMARY KEY (owner_id, name, step, timestamp_ms, value_order)
) WITHOUT ROWID;
INSERT INTO points SELECT owner_id, name, step, timestamp_ms, value_order, value FROM metric_points;
DROP TABLE metric_points;
ALTER TABLE points RENAME TO metric_points;

CREATE TABLE last_points (
    owner_id     TEXT   NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
    name         TEXT   NOT NULL,
    step         BIGINT NOT NULL,
    timestamp_ms BIGINT NOT NULL,
    value_order  BIGINT NOT NULL,
    value        DOUBLE PRECISION,
    PRIMARY KEY (owner_id, name)
) WITHOUT ROWID;
INSERT INTO last_points SELECT owner_id, name, step, timestamp_ms, value_order, value FROM metrics;
DROP TABLE metrics;
ALTER TABLE last_points RENAME TO metrics;
