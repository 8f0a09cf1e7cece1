-- The last number of an experiment that a project gave. Beside the project, whose own row says who may see it and
-- is kept in memory until it changes.
CREATE TABLE project_numbers (
    project_id      TEXT   NOT NULL PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
    last_experiment BIGINT NOT NULL
);
INSERT INTO project_numbers (project_id, last_experiment) SELECT id, last_experiment FROM projects;
ALTER TABLE projects DROP COLUMN last_experiment;
